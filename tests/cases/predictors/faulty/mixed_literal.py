# ruff: noqa
# fmt: off
# mypy: ignore-errors
from typing import Literal


class Predictor:
    def predict(
        self,
        a: Literal["a", 1],  # error: a Literal can be of text or of integers
        b: Literal[True],  # error: a Literal can be of text or of integers
        c: Literal[None],  # error: a Literal can be of text or of integers
    ) -> str:
        return a
