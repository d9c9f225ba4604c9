# ruff: noqa
# mypy: ignore-errors
from dataclasses import dataclass


@dataclass
class Base:
    a: int


class Child(Base):
    b: int = 3


class Predictor:
    def predict(self) -> Child:
        return None
