"""Who printed what, while several predictions are made at once.

All of them have one standard output. What Python code prints is sent apart, with the prediction in
whose context it was printed; what else gets there is in the server's log alone.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TextIO

from cogn_runtime.worker.channel import Channel

__all__ = ["attributed", "print_apart", "print_attributed"]


@contextlib.contextmanager
def attributed(id_: str, channel: Channel) -> Iterator[None]:
    """Within the block, what is printed belongs to this prediction."""
    lines = _Lines(id_, channel)
    token = _lines.set(lines)
    try:
        yield
    finally:
        _lines.reset(token)
        lines.send_rest()


def print_attributed(text: str) -> None:
    """Add to what the prediction printed in whose context this is, whatever its streams are."""
    lines = _lines.get()
    if lines is not None:
        lines.write(text)


def print_apart() -> None:
    """Send what is printed in the context of a prediction apart from now on."""
    sys.stdout = _Printed(sys.stdout)
    sys.stderr = _Printed(sys.stderr)


class _Lines:
    """What a prediction printed, sent when a line is whole or nothing more will come."""

    def __init__(self, id_: str, channel: Channel) -> None:
        self._id = id_
        self._channel = channel
        self._begun: list[str] = []

    def write(self, text: str) -> None:
        whole, newline, rest = text.rpartition("\n")
        if newline:
            self._send("".join([*self._begun, whole, newline]))
            self._begun.clear()
        if rest:
            self._begun.append(rest)

    def send_rest(self) -> None:
        if self._begun:
            self._send("".join(self._begun))
            self._begun.clear()

    def _send(self, text: str) -> None:
        shown = text.encode(errors="backslashreplace").decode()
        self._channel.send("log", id=self._id, text=shown)


_lines: ContextVar[_Lines | None] = ContextVar("cogn_lines", default=None)


class _Printed(io.TextIOBase):
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]  # read-only here
        return "utf-8"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def flush(self) -> None:
        self._stream.flush()

    def write(self, text: str) -> int:
        lines = _lines.get()
        if lines is None:
            return self._stream.write(text)
        lines.write(text)
        return len(text)
