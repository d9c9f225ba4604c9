"""What a person sees: progress, notes and errors on stderr. stdout belongs to data.

On a terminal, running tasks have bars that go when they are done; elsewhere a task is one line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from cogn.report import CognError, Reporter, Task

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

__all__ = [
    "PlainReporter",
    "TerminalReporter",
    "each_platform",
    "make_reporter",
    "readable_size",
    "say",
    "show_error",
]


_WORTH_A_LINE = 1_000_000


def say(message: str) -> None:
    """Write a line to stderr."""
    click.echo(message, err=True, color=None if _has_color() else False)


def each_platform(texts: Sequence[tuple[str, str]]) -> str:
    """Return the only text of these pairs, or all of them after their platforms."""
    if len(texts) == 1:
        return texts[0][1]
    return "; ".join(f"{platform}: {text}" for platform, text in texts)


def readable_size(count: int) -> str:
    """Return a number of bytes in the unit that fits it."""
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= size:
            return f"{count / size:.{2 if unit == 'GB' else 1}f} {unit}"
    return f"{count} B"


def show_error(error: CognError) -> None:
    """Write an error to stderr: each problem with its place, then what to do about it."""
    for problem in error.problems:
        say(click.style("error", fg="red", bold=True) + f": {problem}")
    hints = dict.fromkeys(problem.hint for problem in error.problems if problem.hint)
    for hint in hints:
        say("\n" + click.style("hint", fg="cyan", bold=True) + f": {hint}")


@contextmanager
def make_reporter() -> Iterator[Reporter]:
    """Give the reporter that fits stderr, for as long as the block lasts."""
    if not sys.stderr.isatty():
        yield PlainReporter()
        return
    # Late: rich costs more than the rest of a short command.
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = Console(stderr=True, no_color=not _has_color(), highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield TerminalReporter(progress, console)


class PlainReporter(Reporter):
    """Writes a line as each task begins that is not over at once, for logs and pipes."""

    def task(self, verb: str, name: str, total: int | None = None) -> Task:
        """Return a task that writes its line when it is entered."""
        if total is None:
            return _Line(f"{verb} {name}")
        if total >= _WORTH_A_LINE:
            return _Line(f"{verb} {name} ({total / 1e6:.1f} MB)")
        return Task()

    def note(self, message: str) -> None:
        """Write the message as it is."""
        say(message)

    def warn(self, message: str, *, hint: str | None = None) -> None:
        """Write a warning."""
        say(_warning(message, hint))


class TerminalReporter(Reporter):
    """Draws a bar for each running task."""

    def __init__(self, progress: Progress, console: Console) -> None:
        self._progress = progress
        self._console = console

    def task(self, verb: str, name: str, total: int | None = None) -> Task:
        """Return a task with a bar, drawn from when it is entered to when it is left."""
        return _Bar(self._progress, f"{verb} {name}", total)

    def note(self, message: str) -> None:
        """Write the message above the bars."""
        self._console.print(message, markup=False)

    def warn(self, message: str, *, hint: str | None = None) -> None:
        """Write a warning above the bars."""
        self._console.print(_warning(message, hint), markup=False)


class _Line(Task):
    """A task of `PlainReporter`."""

    def __init__(self, line: str) -> None:
        self._line = line

    def __enter__(self) -> Self:
        """Write the line."""
        say(self._line)
        return self


class _Bar(Task):
    """A task of `TerminalReporter`."""

    def __init__(self, progress: Progress, description: str, total: int | None) -> None:
        self._progress = progress
        self._description = description
        self._total = total
        self._id: TaskID | None = None

    def advance(self, amount: int) -> None:
        """Move the bar."""
        if self._id is not None:
            self._progress.advance(self._id, amount)

    def __enter__(self) -> Self:
        """Draw the bar."""
        self._id = self._progress.add_task(self._description, total=self._total)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take the bar away."""
        if self._id is not None:
            self._progress.remove_task(self._id)


def _warning(message: str, hint: str | None) -> str:
    return f"warning: {message}" + (f"\n  hint: {hint}" if hint else "")


def _has_color() -> bool:
    return "NO_COLOR" not in os.environ
