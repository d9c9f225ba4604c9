# ruff: noqa
# mypy: ignore-errors
from cog import BasePredictor, Input


class Predictor(BasePredictor):
    def predict(
        self,
        old: str = Input(default="", deprecated=True, description="Use `new`"),
        new: str = Input(default="", deprecated=False),
    ) -> str:
        return new
