"""Asks the model how it is: by its own `healthcheck()`, and how much memory of GPUs it uses."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio

__all__ = ["HEALTHCHECK_SECONDS", "Question", "timed_out"]

HEALTHCHECK_SECONDS = 5.0
"""How long the model's own health check may take, as with Cog."""

_Answer = TypeVar("_Answer")


class Question(Generic[_Answer]):
    """One question to one worker.

    However many ask at once, the worker is asked one time, and not again before it has answered:
    one that hangs must not be sent more and more.
    """

    def __init__(self) -> None:
        self._told = anyio.Event()
        self._answer: _Answer | None = None
        self._asked_at: float | None = None

    async def ask(self, send: Callable[[], Awaitable[None]], seconds: float) -> _Answer | None:
        """Return the answer to what `send` asks; None when there is none within `seconds`.

        They count from the moment in which the worker was asked, whoever did it.
        """
        begin = self._asked_at
        if begin is None:
            begin = self._asked_at = time.monotonic()
            self._told = told = anyio.Event()
            await send()
        else:
            told = self._told
        with anyio.move_on_after(max(0.0, begin + seconds - time.monotonic())):
            await told.wait()
        return self._answer if told.is_set() else None

    def tell(self, answer: _Answer) -> None:
        """Give the answer to all who ask now."""
        self._answer = answer
        self._asked_at = None
        self._told.set()


def timed_out() -> str:
    """Return what is said of a health check that takes too long, in Cog's words."""
    return (
        "Healthcheck failed: user-defined healthcheck timed out after "
        f"{HEALTHCHECK_SECONDS:.1f} seconds"
    )
