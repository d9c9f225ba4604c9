# ruff: noqa
# fmt: off
# mypy: ignore-errors
class Predictor:
    def predict(self, a: list[list[int]]) -> str:  # error: a list of lists, of optional or of alternative
        return a
