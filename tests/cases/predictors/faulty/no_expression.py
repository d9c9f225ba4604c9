# ruff: noqa
# fmt: off
# mypy: ignore-errors
class Predictor:
    def predict(self, a: "no python") -> str:  # error: `no python` is no expression
        return a
