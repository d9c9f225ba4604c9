# ruff: noqa
# mypy: ignore-errors
from shared.base import SeededPredictor


class Predictor(SeededPredictor):
    def setup(self):
        pass
