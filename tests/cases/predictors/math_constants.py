# ruff: noqa
# mypy: ignore-errors
import math
import string
from math import pi

from cog import Input


class Predictor:
    def predict(
        self,
        angle: float = Input(default=0.0, ge=-pi, le=math.pi),
        letters: str = string.ascii_lowercase,
    ) -> float:
        return angle
