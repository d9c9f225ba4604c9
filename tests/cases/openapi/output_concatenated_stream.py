# ruff: noqa
# mypy: ignore-errors
from cog import AsyncConcatenateIterator, BaseRunner, concurrent, streaming


class Predictor(BaseRunner):
    @streaming
    @concurrent(max=4)
    async def run(self, prompt: str) -> AsyncConcatenateIterator[str]:
        yield prompt
