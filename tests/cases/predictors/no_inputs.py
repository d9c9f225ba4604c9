# ruff: noqa
# mypy: ignore-errors
class Predictor:
    def predict(self) -> str:
        return "x"
