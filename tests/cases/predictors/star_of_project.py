# ruff: noqa
# mypy: ignore-errors
from shared.constants import *
from shared.outputs import *

from cog import BasePredictor, Input


class Predictor(BasePredictor):
    def predict(self, size: int = Input(default=max(SIZES), choices=SIZES)) -> Transcript:
        return None
