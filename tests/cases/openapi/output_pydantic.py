# ruff: noqa
# mypy: ignore-errors
from typing import List, Optional

from pydantic import BaseModel, Field

from cog import BasePredictor


class Item(BaseModel):
    name: str = Field(description="The name")
    score: float = Field(default=0.5)
    tags: List[str] = Field(default_factory=list)
    maybe: Optional[int]


class Predictor(BasePredictor):
    def predict(self, n: int) -> Item:
        return None
