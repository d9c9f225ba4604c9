# ruff: noqa
# mypy: ignore-errors
from typing import Dict

from cog import BasePredictor, File, Input

CLASSES = ("cat", "dog")


class Predictor(BasePredictor):
    def predict(
        self,
        image: File = Input(description="An image"),
        top: int = Input(default=len(CLASSES), ge=1, le=len(CLASSES)),
    ) -> Dict[str, float]:
        return {}
