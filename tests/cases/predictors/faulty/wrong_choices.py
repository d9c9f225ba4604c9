# ruff: noqa
# fmt: off
# mypy: ignore-errors
from cog import Input


class Predictor:
    def predict(
        self,
        a: str = Input(choices=[1, 2]),  # error: choices are not of the annotated type
        b: bool = Input(choices=[True]),  # error: choices need a parameter of type str, int or float
        c: str = Input(choices=[]),  # error: choices is empty
    ) -> str:
        return a
