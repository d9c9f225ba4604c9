"""The lines of an index file of an archive, whichever way it is compressed.

An index is checked by its hash before it is read, so limits here are for the memory of a machine
that meets an archive gone wrong, not for an attacker.
"""

from __future__ import annotations

import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from cogn.store.errors import ArchiveError

__all__ = ["KINDS", "index_lines"]

KINDS = (".xz", ".gz", "")
"""The suffixes of the compressions that archives use, best first."""

_LONGEST_LINE = 4 << 20
_LARGEST = 1 << 30
_DAMAGES = (EOFError, OSError, UnicodeDecodeError, lzma.LZMAError, zlib.error)


def index_lines(file: Path, kind: str, name: str) -> Iterator[str]:
    """Yield the lines of an index; `kind` is one of `KINDS`, `name` its name for messages.

    Raises `ArchiveError` when it is damaged, or larger than any archive's.
    """
    left = _LARGEST
    try:
        with _opened(file, kind) as stream, io.TextIOWrapper(stream, encoding="utf-8") as lines:
            while line := lines.readline(_LONGEST_LINE):
                left -= len(line)
                if left < 0 or len(line) == _LONGEST_LINE:
                    raise ArchiveError(f"the index of packages {name} is too large")
                yield line
    except _DAMAGES as error:
        raise ArchiveError(f"the index of packages {name} is damaged: {error}") from error


def _opened(file: Path, kind: str) -> IO[bytes]:
    match kind:
        case ".xz":
            return cast("IO[bytes]", lzma.open(file, format=lzma.FORMAT_XZ))
        case ".gz":
            return cast("IO[bytes]", gzip.open(file))
        case _:
            return file.open("rb")
