# ruff: noqa
# mypy: ignore-errors
from typing import Literal

from typing_extensions import Literal as L2

from cog import Input


class Predictor:
    def predict(
        self,
        a: Literal["x", "y"] = Input(default="x", description="A"),
        b: L2["x", "z"] = Input(description="B"),
    ) -> str:
        return a
