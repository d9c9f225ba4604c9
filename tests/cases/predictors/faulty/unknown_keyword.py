# ruff: noqa
# fmt: off
# mypy: ignore-errors
from cog import Input


class Predictor:
    def predict(
        self,
        a: int = Input(default=1, min=0),  # error: parameter `a` of Predictor.predict: Input() has no keyword `min`
        b: str = Input(defualt="x", desc="y"),  # error: Input() has no keyword `defualt` && Input() has no keyword `desc`
    ) -> str:
        return a
