# ruff: noqa
# mypy: ignore-errors
import cog

LIMIT = 4


class Predictor:
    @cog.concurrent(max=LIMIT)
    async def run(self, prompt: str) -> str:
        return prompt
