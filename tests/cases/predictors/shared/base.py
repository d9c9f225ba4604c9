# ruff: noqa
# mypy: ignore-errors
from cog import BasePredictor, Input

from .constants import MAX_SEED


class SeededPredictor(BasePredictor):
    def setup(self):
        self.model = None

    def predict(
        self,
        prompt: str = Input(description="Prompt"),
        seed: int = Input(default=0, ge=0, le=MAX_SEED),
    ) -> str:
        return prompt
