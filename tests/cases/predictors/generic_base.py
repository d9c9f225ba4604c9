# ruff: noqa
# mypy: ignore-errors
from typing import Generic, TypeVar

from cog import BaseRunner

T = TypeVar("T")


class Base(BaseRunner, Generic[T]):
    def run(self, a: int) -> str:
        return ""


class Predictor(Base[int]):
    pass
