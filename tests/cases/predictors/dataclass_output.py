# ruff: noqa
# mypy: ignore-errors
import dataclasses
from dataclasses import KW_ONLY, InitVar, dataclass, field
from typing import ClassVar


@dataclass
class Word:
    text: str
    _: KW_ONLY
    score: float = 1.0
    tags: list[str] = field(default_factory=list)
    seen: InitVar[int] = 0
    kind: ClassVar[str] = "word"
    plain: int = field(repr=False)


@dataclasses.dataclass(frozen=True)
class Output:
    words: list[Word]
    note: str = dataclasses.field(default="x")


class Predictor:
    def predict(self, text: str) -> Output:
        return None
