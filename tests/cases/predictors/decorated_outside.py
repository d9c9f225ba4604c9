# ruff: noqa
# mypy: ignore-errors
import contextlib
import functools


class Predictor:
    @functools.lru_cache(maxsize=3)
    def predict(self, a: int) -> int:
        return a

    @contextlib.contextmanager
    def other(self):
        yield
