# ruff: noqa
# mypy: ignore-errors
import functools


def logged(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return function(*args, **kwargs)

    return inner


class Predictor:
    @logged
    def predict(self, a: int, b: str = "x") -> str:
        return b
