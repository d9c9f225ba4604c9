# ruff: noqa
# mypy: ignore-errors
from typing import AsyncIterator


class Predictor:
    async def run(self, prompt: str) -> AsyncIterator[str]:
        yield prompt
