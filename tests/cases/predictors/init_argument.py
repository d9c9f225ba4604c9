# ruff: noqa
# mypy: ignore-errors
from cog import BaseModel


class Output(BaseModel, init=False):
    a: int
    b: str = "x"

    def __init__(self):
        pass


class Predictor:
    def predict(self) -> Output:
        return Output()
