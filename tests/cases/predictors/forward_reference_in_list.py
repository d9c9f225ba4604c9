# ruff: noqa
# mypy: ignore-errors
from typing import List

from cog import BaseModel


class Predictor:
    def predict(self, n: int) -> List["Item"]:
        return []


class Item(BaseModel):
    n: int
