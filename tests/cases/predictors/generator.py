# ruff: noqa
# mypy: ignore-errors
from typing import Generator


class Predictor:
    def predict(self, n: int) -> Generator[str, None, None]:
        yield ""
