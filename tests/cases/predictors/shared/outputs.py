# ruff: noqa
# mypy: ignore-errors
from typing import List, Optional

from cog import BaseModel, Path


class Segment(BaseModel):
    start: float
    end: float
    text: str


class Transcript(BaseModel):
    segments: List[Segment]
    language: Optional[str] = None


class WithFile(Transcript):
    file: Path = None
