# ruff: noqa
# mypy: ignore-errors
import collections.abc


class Predictor:
    async def run(self, prompt: str) -> collections.abc.AsyncGenerator[str, None]:
        yield prompt
