# ruff: noqa
# mypy: ignore-errors
import enum
from enum import IntEnum, auto

from cog import Input


class Level(IntEnum):
    LOW = auto()
    HIGH = auto()


class Color(enum.Enum):
    RED = enum.auto()
    BLUE = 7
    GREEN = enum.auto()

    @property
    def shown(self):
        return self.name.lower()


class Predictor:
    def run(
        self,
        level: int = Input(default=Level.HIGH, choices=list(Level)),
        color: int = Input(default=Color["RED"].value, choices=[c.value for c in Color]),
        by_value: str = Color(7).name,
    ) -> int:
        return level
