# ruff: noqa
# mypy: ignore-errors
from cog import AsyncConcatenateIterator, BaseRunner, concurrent, streaming


class Predictor(BaseRunner):
    async def setup(self):
        pass

    @concurrent(max=8)
    @streaming
    async def run(self, prompt: str) -> AsyncConcatenateIterator[str]:
        yield prompt
