"""What programs take, and the table of it that stands beside a claim."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Claim", "Measured", "Row", "best", "measured", "median"]

_WIDTH = 62
_COLUMNS = ("seconds", "ratio", "MB/s", "sent", "received", "memory")


@dataclass(frozen=True, slots=True)
class Measured:
    """What programs took: `seconds` together, and the peak memory of the largest, in MB."""

    seconds: float
    memory: float

    def __add__(self, other: Measured) -> Measured:
        return Measured(self.seconds + other.seconds, max(self.memory, other.memory))


def measured(*command: str | Path, env: dict[str, str] | None = None) -> Measured:
    """Run a program; return what it took; end the benchmark when it fails.

    The peak is that of the program or of the largest that it waited for, and at least the
    benchmark's own: on Linux a program begins with the peak of the process that becomes it.
    """
    words = [*map(str, command)]
    with tempfile.TemporaryFile("w+") as errors:
        begin = time.monotonic()
        process = subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            sys.exit(f"{' '.join(words)}\n{errors.read()}")
    print(f"{seconds:8.2f} s  {' '.join(words)}", file=sys.stderr, flush=True)
    return Measured(seconds, usage.ru_maxrss * 1024 / 1e6)


def median(each: Sequence[Measured]) -> Measured:
    """Return the median of the seconds and the most memory."""
    return Measured(statistics.median(m.seconds for m in each), max(m.memory for m in each))


def best(each: Sequence[Measured]) -> Measured:
    """Return the fewest seconds and the most memory."""
    return Measured(min(m.seconds for m in each), max(m.memory for m in each))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one way of doing it took.

    `peer` is what another program took for the same, `size` how many bytes were moved in that time;
    `sent` and `received` are bytes that were counted at the socket.
    """

    what: str
    took: Measured
    peer: Measured | None = None
    size: int | None = None
    sent: int | None = None
    received: int | None = None

    def __str__(self) -> str:
        seconds = self.took.seconds
        cells = (
            f"{seconds:.3f}",
            "" if self.peer is None else f"{self.peer.seconds / seconds:.2f}",
            "" if self.size is None else f"{self.size / 1e6 / seconds:.0f}",
            "" if self.sent is None else f"{self.sent / 1e3:.1f} kB",
            "" if self.received is None else f"{self.received / 1e3:.1f} kB",
            f"{self.took.memory:.0f} MB",
        )
        return _line(f"  {self.what}", cells)


@dataclass(frozen=True, slots=True)
class Claim:
    """What is claimed, and what was measured."""

    text: str
    rows: Sequence[Row]

    def __str__(self) -> str:
        return "\n".join([_line("", _COLUMNS), self.text, *map(str, self.rows)])


def _line(what: str, cells: Iterable[str]) -> str:
    return f"{what:{_WIDTH}}" + "".join(f" {cell:>9}" for cell in cells)
