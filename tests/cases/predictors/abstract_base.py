# ruff: noqa
# mypy: ignore-errors
from abc import ABC, abstractmethod

from cog import BaseRunner


class Base(ABC):
    @abstractmethod
    def load(self): ...


class Predictor(BaseRunner, Base):
    def load(self):
        pass

    def run(self, a: int) -> str:
        return ""
