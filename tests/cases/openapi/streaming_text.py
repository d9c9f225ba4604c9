# ruff: noqa
# mypy: ignore-errors
from typing import Iterator

from cog import BaseRunner, Input, streaming


class Predictor(BaseRunner):
    @streaming
    def run(
        self,
        prompt: str = Input(description="Prompt to complete"),
        max_new_tokens: int = Input(
            description="Maximum number of tokens to generate", default=128, ge=1, le=512
        ),
    ) -> Iterator[str]:
        yield from prompt.split()[:max_new_tokens]
