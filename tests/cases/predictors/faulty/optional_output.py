# ruff: noqa
# fmt: off
# mypy: ignore-errors
from typing import Optional


class Predictor:
    def predict(self, a: int) -> Optional[str]:  # error: Optional is not allowed as a return type
        return None
