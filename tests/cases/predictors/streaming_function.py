# ruff: noqa
# mypy: ignore-errors
# reference: run
from typing import Iterator

from cog import streaming


@streaming
def run(prompt: str) -> Iterator[str]:
    yield prompt
