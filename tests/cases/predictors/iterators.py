# ruff: noqa
# mypy: ignore-errors
from typing import Iterator

from cog import BaseModel


class Chunk(BaseModel):
    text: str


class Predictor:
    def predict(self, n: int) -> Iterator[Chunk]:
        yield Chunk(text="")
