# ruff: noqa
# mypy: ignore-errors
from __future__ import annotations

from typing import NotRequired, Required, TypedDict


class Out(TypedDict, total=False):
    a: Required[int]
    b: NotRequired[str]
    c: float


class Full(TypedDict):
    x: int
    y: NotRequired[Out]


class Predictor:
    def predict(self) -> Full:
        return {}
