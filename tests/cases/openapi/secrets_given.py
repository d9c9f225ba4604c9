# ruff: noqa
# mypy: ignore-errors
from typing import Optional

from cog import BasePredictor, Input, Secret


class Predictor(BasePredictor):
    def predict(
        self,
        key: Secret = Input(description="Key"),
        maybe: Optional[Secret] = None,
    ) -> str:
        return ""
