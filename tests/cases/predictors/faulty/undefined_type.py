# ruff: noqa
# fmt: off
# mypy: ignore-errors
class Predictor:
    def predict(self, a: "Nowhere") -> str:  # error: parameter `a` of Predictor.predict: `Nowhere` cannot be known without running the code: nothing defines it
        return a
