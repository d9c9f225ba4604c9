"""Reading what a plain tar archive in a file holds, with the standard library's reader, guarded."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from cogn.layers.content import read_all
from cogn.layers.entry import Slice

__all__ = ["members"]

_BLOCK = 512
_LARGEST_HEADER = 1 << 20


def members(tar: Path) -> Iterator[tarfile.TarInfo]:
    """Yield the members of an archive, none of which is larger than the archive.

    Raises `tarfile.TarError`, `UnicodeError` or `ValueError` for one that is damaged.
    """
    size = tar.stat().st_size
    with (
        tar.open("rb") as file,
        tarfile.open(
            fileobj=_Headers(file), mode="r:", encoding="utf-8", errors="strict"
        ) as archive,
    ):
        for member in archive:
            if member.isreg() and member.offset_data + member.size > size:
                raise tarfile.ReadError(f"`{member.name}` is larger than the archive that holds it")
            yield member
        # It takes damage for the end, and an archive that stops without its end mark as well.
        end = archive.offset
        if size - end < _BLOCK or read_all(Slice(tar, end, _BLOCK)) != bytes(_BLOCK):
            raise tarfile.ReadError(f"at byte {end}")


class _Headers(io.RawIOBase):
    """A tar archive of which only headers are read: a name of gigabytes is refused."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LARGEST_HEADER:
            raise tarfile.HeaderError(f"a header of {size} bytes")
        return self._file.read(size)
