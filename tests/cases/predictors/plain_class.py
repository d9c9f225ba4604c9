# ruff: noqa
# mypy: ignore-errors
class Predictor:
    def predict(self, a: int, b: int = 2) -> int:
        return a + b
