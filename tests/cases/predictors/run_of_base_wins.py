# ruff: noqa
# mypy: ignore-errors
from cog import BaseRunner


class Base(BaseRunner):
    def run(self, new: str) -> str:
        return new


class Predictor(Base):
    def predict(self, old: int) -> int:
        return old
