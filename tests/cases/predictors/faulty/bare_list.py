# ruff: noqa
# fmt: off
# mypy: ignore-errors
from typing import List


class Predictor:
    def predict(
        self,
        a: list,  # error: the type `list` is not supported
        b: List,  # error: the type `list` is not supported
    ) -> str:
        return a
