# ruff: noqa
# fmt: off
# mypy: ignore-errors
class Predictor:
    def predict(self, a: int) -> str | None:  # error: Optional is not allowed as a return type
        return None
