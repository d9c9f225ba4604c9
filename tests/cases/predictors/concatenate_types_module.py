# ruff: noqa
# mypy: ignore-errors
from cog.types import ConcatenateIterator


class Predictor:
    def predict(self, prompt: str) -> "ConcatenateIterator[str]":
        yield prompt
