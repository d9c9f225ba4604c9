# ruff: noqa
# fmt: off
# mypy: ignore-errors
from typing import Any


class Predictor:
    def predict(self, a: Any = {1}) -> str:  # error: the default {1} cannot be written as JSON
        return ""
