# ruff: noqa
# mypy: ignore-errors
from __future__ import annotations

from typing import Optional

from cog import BaseModel, BasePredictor, Input, Path


class Predictor(BasePredictor):
    def predict(
        self, image: Path | None = None, size: Optional[int] = Input(default=None)
    ) -> list[Output]:
        return []


class Output(BaseModel):
    path: Path
    inner: Inner | None


class Inner(BaseModel):
    score: float
