# ruff: noqa
# mypy: ignore-errors
from typing import Dict, List


class Predictor:
    def predict(self, a: str) -> Dict[str, List[Dict[str, float]]]:
        return {}
