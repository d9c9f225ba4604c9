# ruff: noqa
# fmt: off
# mypy: ignore-errors
from cog import concurrent


class Predictor:
    @concurrent(max=4)
    def run(self) -> str:  # error: @concurrent(max > 1) requires an async run() or predict() method
        return ""
