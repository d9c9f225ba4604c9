# ruff: noqa
# fmt: off
# mypy: ignore-errors
from cog import streaming


class Predictor:
    @streaming
    def run(self) -> str:  # error: @streaming needs an iterator
        return ""
