# ruff: noqa
# fmt: off
# mypy: ignore-errors
from enum import Enum

from cog import Input


class Size(Enum):
    S = 1


class Predictor:
    def predict(self, a: int = Input(default=Size.S)) -> str:  # error: cannot be written as JSON
        return ""
