# ruff: noqa
# mypy: ignore-errors
try:
    from typing import Literal
except ImportError:
    from typing_extensions import Literal


class Predictor:
    def predict(self, a: Literal["x", "y"]) -> str:
        return a
