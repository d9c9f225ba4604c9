# ruff: noqa
# mypy: ignore-errors
class Predictor:
    def predict(self, a: int, *, b: str = "x", c: bool) -> str:
        return b
