# ruff: noqa
# fmt: off
# mypy: ignore-errors
from cog import Input


class Predictor:
    def predict(self, a: int = Input(default=11, ge=0, le=10)) -> str:  # error: 11 is greater than the maximum of 10
        return a
