# ruff: noqa
# mypy: ignore-errors
from typing import Dict

from cog import BasePredictor


class Predictor(BasePredictor):
    def predict(self, n: int) -> Dict[str, Dict[str, float]]:
        return {}
