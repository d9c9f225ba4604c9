# ruff: noqa
# mypy: ignore-errors
from typing import Dict, List, Optional, Union

from cog import BaseModel, Path


class Box(BaseModel):
    x: float
    y: float = 0.0


class Output(BaseModel):
    image: Path
    boxes: List[Box]
    table: Dict[str, Box]
    best: Optional[Box]
    note: Union[str, None] = None
    counts: dict[str, list[int]] = None
    blob: dict = None


class Predictor:
    def predict(self, image: Path) -> Output:
        return None
