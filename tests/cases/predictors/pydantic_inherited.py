# ruff: noqa
# mypy: ignore-errors
from pydantic import BaseModel


class Base(BaseModel):
    a: int
    b: str = "x"


class Output(Base):
    c: list["Base"]
    b: str


class Predictor:
    def predict(self, n: int) -> list[Output]:
        return []
