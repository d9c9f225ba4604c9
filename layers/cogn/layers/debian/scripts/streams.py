"""What commands read and write, and the ways in which a script goes on or ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

__all__ = ["Exit", "Input", "LoopExit", "Output", "Return", "Streams", "decoded", "encoded"]


class Exit(Exception):  # noqa: N818  # the ways that a script goes, no faults
    """The script, or a subshell of it, ends with a status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Return(Exit):
    """The function, or the sourced file, ends with a status."""


class LoopExit(Exception):  # noqa: N818
    """``break``, or ``continue`` when `again`, out of so many loops."""

    def __init__(self, loops: int, *, again: bool) -> None:
        super().__init__(loops)
        self.loops = loops
        self.again = again


class Input:
    """A text that is read line by line, or whole."""

    def __init__(self, text: str = "") -> None:
        self._text = text
        self._at = 0

    def line(self) -> str | None:
        """Return the next line without its end, None after the last."""
        if self._at >= len(self._text):
            return None
        end = self._text.find("\n", self._at)
        end = len(self._text) if end < 0 else end
        line, self._at = self._text[self._at : end], end + 1
        return line

    def rest(self) -> str:
        """Return what is left."""
        rest, self._at = self._text[self._at :], len(self._text)
        return rest


class Output:
    """Where text goes; None is nowhere."""

    def __init__(self, take: Callable[[str], None] | None = None) -> None:
        self._take = take

    def write(self, text: str) -> None:
        """Let a text go there."""
        if self._take is not None:
            self._take(text)


@dataclass(frozen=True, slots=True)
class Streams:
    """What a command reads and where it writes to, by descriptor."""

    input: Input = field(default_factory=Input)
    outputs: Mapping[int, Output] = field(default_factory=dict)

    def print(self, text: str) -> None:
        """Write to the standard output."""
        if 1 in self.outputs:
            self.outputs[1].write(text)


def decoded(data: bytes) -> str:
    """Return bytes as the text that a script sees; `encoded` gives them back."""
    return data.decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    """Return the bytes of a text."""
    return text.encode("utf-8", "surrogateescape")
