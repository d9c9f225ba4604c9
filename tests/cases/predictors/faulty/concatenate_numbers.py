# ruff: noqa
# fmt: off
# mypy: ignore-errors
from cog import ConcatenateIterator


class Predictor:
    def predict(self) -> ConcatenateIterator[int]:  # error: only text can be concatenated
        yield 1
