"""Progress of long work, as hooks that do nothing until the command line shows them."""

from __future__ import annotations

from types import TracebackType
from typing import Self

__all__ = ["Reporter", "Task"]


class Task:
    """One piece of long work: a download, a layer, an upload. A context manager."""

    def advance(self, amount: int) -> None:
        """Say that `amount` more units (bytes, unless the total said otherwise) are done."""

    def __enter__(self) -> Self:
        """Begin the task."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the task; `exc_type` says whether it failed."""


class Reporter:
    """Receives what happens during long work. The default shows nothing.

    The methods may be called from several threads.
    """

    def task(self, verb: str, name: str, total: int | None = None) -> Task:
        """Return a task to show, such as ``task("Downloading", "numpy", 16_000_000)``."""
        return Task()

    def note(self, message: str) -> None:
        """Say something a person wants to know and nobody has to act on."""

    def warn(self, message: str, *, hint: str | None = None) -> None:
        """Say something that is likely to surprise later."""
