# ruff: noqa
# mypy: ignore-errors
from typing import Optional

from cog import BasePredictor, Input, Path


class Predictor(BasePredictor):
    def setup(self, weights: Optional[Path] = None):
        self.weights = weights

    def predict(self, a: str = Input("positional", description="d")) -> str:
        return a
