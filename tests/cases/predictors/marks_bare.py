# ruff: noqa
# mypy: ignore-errors
import cog
from cog import URLPath, emit_metric


class Predictor(cog.BaseRunner):
    @cog.concurrent
    @cog.streaming()
    async def run(self, text: str) -> cog.AsyncConcatenateIterator[str]:
        emit_metric("n", 1)
        yield text
