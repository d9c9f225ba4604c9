# ruff: noqa
# fmt: off
# mypy: ignore-errors
from typing import Union


class Predictor:
    def predict(self, a: int) -> Union[int, str]:  # error: the type `int | str` is not supported
        return a
