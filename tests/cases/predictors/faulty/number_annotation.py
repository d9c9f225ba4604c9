# ruff: noqa
# fmt: off
# mypy: ignore-errors
class Predictor:
    def predict(self, a: 3) -> str:  # error: the type `3` is not supported
        return ""
