"""Doing without a network: whatever fails is told in one go, not a file at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from cogn.report import CognError, ProblemsError
from cogn.store.errors import OfflineError

__all__ = ["Failures"]

_T = TypeVar("_T")


class Failures:
    """Collects the failures of tasks that would otherwise end each other.

    Without a network they fail at once and for the same reason, so a person wants to hear of all.
    Unless it `collects`, the first failure is raised as ever.
    """

    def __init__(self, *, collects: bool) -> None:
        self._collects = collects
        self._found: list[CognError] = []

    def of(self, call: Callable[[], Awaitable[_T]]) -> Callable[[], Awaitable[_T]]:
        """Return the call, whose `CognError` is kept; what it returns then is no value."""
        if not self._collects:
            return call

        async def attempt() -> _T:
            try:
                return await call()
            except CognError as error:
                self._found += error.problems
                return None  # type: ignore[return-value]  # `raise_if_any` comes before any use

        return attempt

    def raise_if_any(self) -> None:
        """Raise what failed; what is missing on this machine is one list."""
        missing = [each for each in self._found if isinstance(each, OfflineError)]
        others = [each for each in self._found if not isinstance(each, OfflineError)]
        if missing:
            names = dict.fromkeys(name for each in missing for name in each.names)
            others.insert(0, OfflineError(tuple(names)))
        ProblemsError.raise_if_any(others)
