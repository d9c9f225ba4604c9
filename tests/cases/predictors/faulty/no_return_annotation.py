# ruff: noqa
# fmt: off
# mypy: ignore-errors
class Predictor:
    def predict(self, a: int):  # error: the return type of Predictor.predict: there is no annotation
        return a
