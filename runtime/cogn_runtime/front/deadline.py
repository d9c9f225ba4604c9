"""A limit of time that moves with each request: one timer, put off when it rings too early."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Deadline"]


class Deadline:
    """Calls `passed` when it is reached. Setting it is cheap, as most never are."""

    def __init__(self, loop: asyncio.AbstractEventLoop, passed: Callable[[], None]) -> None:
        self._loop = loop
        self._passed = passed
        self._time: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float | None) -> None:
        """Move it so many seconds away from now; None takes it back."""
        if seconds is None:
            self._time = None
            return
        self._time = self._loop.time() + seconds
        if self._timer is None or self._timer.when() > self._time:
            self.close()
            self._timer = self._loop.call_at(self._time, self._ring)

    def close(self) -> None:
        """Call nothing any more, unless it is set again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        if self._time is None:
            return
        if self._loop.time() < self._time:
            self._timer = self._loop.call_at(self._time, self._ring)
        else:
            self._passed()
