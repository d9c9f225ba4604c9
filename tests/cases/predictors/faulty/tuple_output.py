# ruff: noqa
# fmt: off
# mypy: ignore-errors
from typing import Tuple


class Predictor:
    def predict(self, a: int) -> Tuple[int, str]:  # error: Tuple[int, str]` is not supported
        return a
