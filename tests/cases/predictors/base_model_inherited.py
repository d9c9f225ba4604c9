# ruff: noqa
# mypy: ignore-errors
from typing import ClassVar

from shared.outputs import Segment, WithFile

from cog import BaseModel


class Mixin:
    ignored: int = 3


class Output(WithFile):
    kind: ClassVar[str] = "x"
    extra: Segment = None


class Again(Output):
    language: str = "en"


class Predictor:
    def predict(self, a: int) -> Again:
        return None
