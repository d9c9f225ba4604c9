# ruff: noqa
# mypy: ignore-errors
from typing import Literal, Optional

from cog import BasePredictor, Input


class Predictor(BasePredictor):
    def predict(
        self,
        mode: Literal["fast", "slow"] = "fast",
        size: Literal[1, 2] = Input(description="Size"),
        tone: Optional[Literal["dark", "light"]] = None,
    ) -> str:
        return mode
