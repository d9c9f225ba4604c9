# ruff: noqa
# mypy: ignore-errors
from typing import *

from cog import *


class Predictor(BasePredictor):
    def predict(self, xs: List[int] = Input(default=[1, 2])) -> Dict[str, int]:
        return {}
