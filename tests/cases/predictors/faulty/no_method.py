# ruff: noqa
# fmt: off
# mypy: ignore-errors
from cog import BasePredictor


class Predictor(BasePredictor):  # error: Predictor must define run() or predict()
    def setup(self):
        pass
