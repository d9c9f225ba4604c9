# ruff: noqa
# fmt: off
# mypy: ignore-errors
from __future__ import annotations

from cog import BaseModel


class Node(BaseModel):
    children: list[Node]


class Predictor:
    def predict(self) -> Node:  # error: Node contains itself
        return None
