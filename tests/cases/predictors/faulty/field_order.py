# ruff: noqa
# fmt: off
# mypy: ignore-errors
from cog import BaseModel


class Output(BaseModel):
    a: int = 1
    b: str


class Predictor:
    def predict(self) -> Output:  # error: field `b` of Output: it has no default, and `a` before it has one
        return None
