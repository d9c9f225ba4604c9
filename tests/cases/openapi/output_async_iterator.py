# ruff: noqa
# mypy: ignore-errors
from typing import AsyncIterator

from cog import BaseRunner, Path


class Predictor(BaseRunner):
    async def run(self, n: int) -> AsyncIterator[Path]:
        yield Path("x")
