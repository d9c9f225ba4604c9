# ruff: noqa
# mypy: ignore-errors
from cog import BaseRunner


class Mixin:
    limit = 3

    def run(self, text: str, times: int = limit) -> str:
        return text * times


class Predictor(Mixin, BaseRunner):
    pass
