# ruff: noqa
# mypy: ignore-errors
from typing import List


class Predictor:
    def predict(self, a: str) -> List:
        return []
