# ruff: noqa
# mypy: ignore-errors
import shared.constants
from shared import constants as c

from cog import BasePredictor, Input


class Predictor(BasePredictor):
    def predict(
        self,
        size: int = Input(default=c.SIZES[0], choices=shared.constants.SIZES + [2048]),
    ) -> int:
        return size
