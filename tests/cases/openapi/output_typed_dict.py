# ruff: noqa
# mypy: ignore-errors
from typing import Optional, TypedDict

from typing_extensions import NotRequired

from cog import BasePredictor


class Base(TypedDict, total=False):
    note: str


class Output(Base):
    text: str
    maybe: Optional[int]
    extra: NotRequired[float]


class Predictor(BasePredictor):
    def predict(self, n: int) -> Output:
        return {}
