# ruff: noqa
# mypy: ignore-errors
from typing import List, Optional

from cog import BaseModel, Path


class Predictor:
    def predict(self, image: "Path", names: "Optional[List[str]]" = None) -> "Output":
        return None


class Output(BaseModel):
    children: "List[Child]"


class Child(BaseModel):
    name: "str"
