# ruff: noqa
# mypy: ignore-errors
from collections.abc import Iterator


class Predictor:
    def predict(self, n: int) -> Iterator[list[str]]:
        yield []
