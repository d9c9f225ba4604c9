# ruff: noqa
# mypy: ignore-errors
import sys

from cog import Input

Number = float if sys.maxsize > 2**32 else int


class Predictor:
    def predict(
        self, a: Number = Input(default=1.0), seed: int = Input(default=0, le=sys.maxsize)
    ) -> Number:
        return a
