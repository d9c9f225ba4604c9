# ruff: noqa
# mypy: ignore-errors
from typing import Iterator

from cog import BaseModel, BasePredictor


class Chunk(BaseModel):
    text: str
    index: int


class Predictor(BasePredictor):
    def predict(self, n: int) -> Iterator[Chunk]:
        yield Chunk(text="", index=0)
