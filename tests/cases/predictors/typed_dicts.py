# ruff: noqa
# mypy: ignore-errors
from typing import List, TypedDict

from typing_extensions import NotRequired, Required

from cog import Input


class Message(TypedDict):
    role: str
    content: str


class Options(TypedDict, total=False):
    top: int
    must: Required[str]


class More(Options):
    extra: NotRequired[float]
    sure: bool


class Predictor:
    def predict(self, messages: List[Message], options: Options = Input(default={})) -> More:
        return {}
