# ruff: noqa
# mypy: ignore-errors
from typing import Iterable


class Predictor:
    def predict(self, a: str) -> Iterable[int]:
        return []
