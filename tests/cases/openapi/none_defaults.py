# ruff: noqa
# mypy: ignore-errors
from typing import Any

from cog import BasePredictor, Input, Path, Secret


class Predictor(BasePredictor):
    def predict(
        self,
        seed: int = Input(default=None, description="random when absent"),
        image: Path = None,
        text: str = Input(default=None),
        anything: Any = None,
        token: Secret = Input(default=None),
        many: list[str] = None,
    ) -> str:
        return ""
