# ruff: noqa
# fmt: off
# mypy: ignore-errors
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cog import Path


class Predictor:
    def predict(self, a: "Path") -> str:  # error: `Path` cannot be known without running the code: nothing defines it
        return a
