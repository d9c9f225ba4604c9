# ruff: noqa
# mypy: ignore-errors
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    CHOICES = ["never"]
else:
    CHOICES = ["a", "b"]

from cog import Input


class Predictor:
    def predict(self, a: str = Input(default="a", choices=CHOICES)) -> str:
        return a

    def helper(self, x: "Tensor") -> "Tensor":
        return x
