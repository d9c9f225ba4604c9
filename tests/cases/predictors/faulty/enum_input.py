# ruff: noqa
# fmt: off
# mypy: ignore-errors
from enum import Enum


class Style(str, Enum):
    A = "a"


class Predictor:
    def predict(self, a: Style = Style.A) -> str:  # error: the type `Style` is not supported
        return a
