# ruff: noqa
# fmt: off
# mypy: ignore-errors
from typing import List, Optional


class Predictor:
    def predict(self, a: List[Optional[int]]) -> str:  # error: a list of lists, of optional or of alternative
        return a
