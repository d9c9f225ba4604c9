# ruff: noqa
# mypy: ignore-errors
from collections import OrderedDict

from cog import Input

MODELS = OrderedDict([("a", 1), ("b", 2)])


class Predictor:
    def predict(self, a: str = Input(default="a", choices=list(MODELS.keys()))) -> str:
        return a
