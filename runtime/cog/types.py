"""The types of inputs and outputs that JSON has no word for."""

from __future__ import annotations

import io
import pathlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar, cast

from cog.urls import URLFile, URLPath, data_of

__all__ = [
    "AsyncConcatenateIterator",
    "ConcatenateIterator",
    "File",
    "Opaque",
    "Path",
    "Secret",
    "URLFile",
    "URLPath",
]

_Item = TypeVar("_Item", covariant=True)


class Path(pathlib.PosixPath):
    """A file: as input, a local copy of what the client sent; as output, a file to send back.

    The copy is removed when the prediction ends.
    """

    @classmethod
    def validate(cls, value: Any) -> pathlib.Path:  # noqa: ANN401 - a path, or the text of one
        """Return `value` as a path; that of a new copy for a URL.

        Raises ValueError or OSError when it cannot be had.
        """
        if isinstance(value, pathlib.Path):
            return value
        if not str(value).startswith(("data:", "http://", "https://")):
            return cls(value)
        opened = File.validate(value)
        with tempfile.NamedTemporaryFile(
            suffix=getattr(opened, "name", None) or "file", delete=False
        ) as copy:
            shutil.copyfileobj(cast("BinaryIO", opened), copy)
        return cls(copy.name)


class File(io.IOBase):
    """An input file, opened for reading bytes. `Path` does the same and more."""

    @classmethod
    def validate(cls, value: Any) -> io.IOBase:  # noqa: ANN401 - a file, or the text of a URL
        """Return `value` as a file to read; raises ValueError for what is no URL of one."""
        if isinstance(value, io.IOBase):
            return value
        if str(value).startswith("data:"):
            return io.BytesIO(data_of(value))
        return URLFile(value)


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
