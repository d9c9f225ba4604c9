# ruff: noqa
# fmt: off
# mypy: ignore-errors
from typing import Union

from cog import Path


class Predictor:
    def predict(self, a: Union[str, Path]) -> str:  # error: a union can only be of str, int, float and bool
        return a
