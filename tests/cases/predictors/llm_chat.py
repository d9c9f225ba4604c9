# ruff: noqa
# mypy: ignore-errors
from typing import AsyncIterator, List, Optional, TypedDict

from cog import BaseRunner, Input, Secret, streaming


class Message(TypedDict):
    role: str
    content: str


class Predictor(BaseRunner):
    async def setup(self, weights=None) -> None:
        pass

    @streaming
    async def run(
        self,
        messages: List[Message] = Input(description="History"),
        system: Optional[str] = Input(default=None),
        stop: Optional[List[str]] = Input(default=None),
        api_key: Secret = Input(default=None, description="Key"),
        max_tokens: int = Input(default=256, ge=1),
    ) -> AsyncIterator[str]:
        yield ""
