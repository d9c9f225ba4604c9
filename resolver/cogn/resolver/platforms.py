"""What is said while one platform of several is resolved: it names the platform."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cogn.lockfiles import Platform
from cogn.report import CognError, Reporter, Task

__all__ = ["PlatformReporter", "naming"]


class PlatformReporter(Reporter):
    """Passes everything on with the name of a platform."""

    def __init__(self, reporter: Reporter, platform: Platform) -> None:
        self._reporter = reporter
        self._platform = platform

    def task(self, verb: str, name: str, total: int | None = None) -> Task:
        """Return the task, which says what it is for."""
        return self._reporter.task(verb, f"{name} for {self._platform}", total)

    def note(self, message: str) -> None:
        """Say the message after the platform."""
        self._reporter.note(f"{self._platform}: {message}")

    def warn(self, message: str, *, hint: str | None = None) -> None:
        """Say the warning after the platform."""
        self._reporter.warn(f"{self._platform}: {message}", hint=hint)


@contextmanager
def naming(platform: Platform) -> Iterator[None]:
    """Put the platform before the messages of the errors that leave the block."""
    try:
        yield
    except CognError as error:
        for problem in error.problems:
            problem.message = f"{platform}: {problem.message}"
        raise
