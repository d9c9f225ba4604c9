# ruff: noqa
# mypy: ignore-errors
class Predictor:
    def predict(self, a: float = 1) -> bool:
        return True
