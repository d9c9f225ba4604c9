"""The types of inputs and outputs that JSON has no word for."""

from __future__ import annotations

import io
import pathlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TypeVar

__all__ = [
    "AsyncConcatenateIterator",
    "ConcatenateIterator",
    "File",
    "Opaque",
    "Path",
    "Secret",
]

_Item = TypeVar("_Item", covariant=True)


class Path(pathlib.PosixPath):
    """A file: as input, a local copy of what the client sent; as output, a file to send back.

    The copy is removed when the prediction ends.
    """


class File(io.IOBase):
    """An input file, opened for reading bytes. `Path` does the same and more."""


@dataclass(frozen=True)
class Secret:
    """A string that does not show itself when it is printed."""

    secret_value: str | None = None

    def get_secret_value(self) -> str | None:
        """Return the string itself."""
        return self.secret_value

    def __str__(self) -> str:
        return "" if self.secret_value is None else "**********"

    def __repr__(self) -> str:
        return f"Secret({str(self)!r})"


class ConcatenateIterator(Iterator[_Item]):
    """The return type of a `run()` that yields pieces of text which make one text together."""


class AsyncConcatenateIterator(AsyncIterator[_Item]):
    """The same for an `async def run()`."""


class Opaque:
    """Marks a type whose fields are nobody's business: `Annotated[Settings, Opaque]`.

    Clients see an object of any content, or a list of them.
    """
