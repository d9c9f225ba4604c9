# ruff: noqa
# mypy: ignore-errors
from cog import BasePredictor, Input


class Predictor(BasePredictor):
    LIMIT = 5
    DEFAULT = LIMIT - 1

    def predict(self, a: int = Input(default=DEFAULT, le=LIMIT)) -> int:
        return a
