# ruff: noqa
# fmt: off
# mypy: ignore-errors
from typing import Iterator


class Predictor:
    def predict(self) -> Iterator:  # error: the type of the items is missing
        yield 1
