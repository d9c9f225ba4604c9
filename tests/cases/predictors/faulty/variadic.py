# ruff: noqa
# fmt: off
# mypy: ignore-errors
class Predictor:
    def predict(
        self,
        a: int,  # error: parameter `a` of Predictor.predict: inputs are given by name
        /,
        **rest: str,  # error: parameter `rest` of Predictor.predict: inputs are given by name
    ) -> str:
        return ""
