# ruff: noqa
# mypy: ignore-errors
from typing import Any, List

from cog import BasePredictor, Input


class Predictor(BasePredictor):
    def predict(
        self,
        names: List[str],
        sizes: list[int] = [1, 2],
        weights: list[float] = Input(default=[], description="Weights"),
        flags: list[bool] = (True, False),
        messages: list[dict] = Input(default=[{"role": "user"}]),
        things: List[Any] = [],
    ) -> List[str]:
        return names
