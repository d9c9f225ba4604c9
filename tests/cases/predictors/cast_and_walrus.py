# ruff: noqa
# mypy: ignore-errors
from typing import cast

from cog import Input

if (n := 4) > 3:
    LIMIT = n


class Predictor:
    def predict(self, a: int = cast(int, 3), b: int = Input(default=1, le=LIMIT)) -> int:
        return a
