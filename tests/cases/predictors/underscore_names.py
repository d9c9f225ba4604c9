# ruff: noqa
# mypy: ignore-errors
class Predictor:
    def predict(self, _a: int, b_: str = "", CamelCase: bool = False, x1: int = 1) -> str:
        return b_
