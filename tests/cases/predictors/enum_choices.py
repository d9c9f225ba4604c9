# ruff: noqa
# mypy: ignore-errors
from enum import Enum

from cog import BasePredictor, Input


class Style(str, Enum):
    PHOTO = "photo"
    ART = "art"


class Size(Enum):
    SMALL = 1
    LARGE = 2
    BIG = 2


class Predictor(BasePredictor):
    def predict(
        self,
        style: str = Input(default=Style.PHOTO, choices=list(Style)),
        again: str = Input(default=Style.ART.value, choices=[each.value for each in Style]),
        size: int = Input(default=Size.SMALL.value, choices=[s.value for s in Size]),
        name: str = Input(default=Size.LARGE.name, choices=[s.name for s in Size]),
        key: str = Input(default="SMALL", choices=list(Size.__members__)),
        count: int = len(Size),
    ) -> str:
        return style
