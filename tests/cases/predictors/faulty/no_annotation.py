# ruff: noqa
# fmt: off
# mypy: ignore-errors
class Predictor:
    def predict(
        self,
        a,  # error: parameter `a` of Predictor.predict: there is no type annotation
        b: int,
        c=3,  # error: parameter `c` of Predictor.predict: there is no type annotation
    ) -> str:
        return a
