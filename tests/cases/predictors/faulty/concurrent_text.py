# ruff: noqa
# fmt: off
# mypy: ignore-errors
from cog import concurrent


class Predictor:
    @concurrent(max="4")
    async def run(self) -> str:  # error: @concurrent(max=...) needs an integer from 1 on
        return ""
