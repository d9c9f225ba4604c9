# ruff: noqa
# mypy: ignore-errors
from typing import Optional

from cog import BasePredictor, Input


class Predictor(BasePredictor):
    def predict(
        self,
        width: int = Input(default=512, choices=[256, 512]),
        strength: float = Input(default=0.5, choices=[0.25, 0.5, 1.0]),
        maybe: Optional[int] = Input(default=None, choices=[1, 2]),
    ) -> int:
        return width
