# ruff: noqa
# fmt: off
# mypy: ignore-errors
from cog import Input


class Predictor:
    def predict(self, a: str = Input(default="c", choices=["a", "b"])) -> str:  # error: "c" is not one of ["a","b"]
        return a
