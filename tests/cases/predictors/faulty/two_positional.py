# ruff: noqa
# fmt: off
# mypy: ignore-errors
from cog import Input


class Predictor:
    def predict(self, a: int = Input(1, "text")) -> str:  # error: Input() takes one positional argument, the default
        return a
