# ruff: noqa
# fmt: off
# mypy: ignore-errors
from typing import Literal

from cog import Input


class Predictor:
    def predict(self, a: Literal["a"] = Input(choices=["a"])) -> str:  # error: both Literal and choices list its values
        return a
