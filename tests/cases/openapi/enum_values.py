# ruff: noqa
# mypy: ignore-errors
from enum import Enum

from cog import BasePredictor, Input


class Style(str, Enum):
    PHOTO = "photo"
    ART = "art"


class Predictor(BasePredictor):
    def predict(
        self,
        style: str = Input(default=Style.ART, choices=list(Style)),
        other: str = Input(default=Style.PHOTO.value, choices=[each.value for each in Style]),
    ) -> str:
        return style
