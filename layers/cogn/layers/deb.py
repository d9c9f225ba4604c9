"""Debian binary packages (deb(5)), read without dpkg and without running anything of them."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from debian.deb822 import Deb822

from cogn.layers.entry import Bytes, Content, Entry, Kind, Slice, check_path
from cogn.layers.errors import DebError

__all__ = ["ControlFile", "DebFile", "open_deb"]

_MAGIC = b"!<arch>\n"
_HEADER = 60
_CHUNK = 1 << 20
_LARGEST_CONTROL = 16 << 20
_LARGEST_ID = 0o7777777
_LATEST_MTIME = 0o77777777777

_OPENERS: Mapping[str, Callable[[IO[bytes]], IO[bytes]]] = {
    "": lambda file: file,
    ".gz": lambda file: gzip.GzipFile(fileobj=file),
    ".xz": lambda file: lzma.LZMAFile(file, format=lzma.FORMAT_XZ),
    ".lzma": lambda file: lzma.LZMAFile(file, format=lzma.FORMAT_ALONE),
}


@dataclass(frozen=True, slots=True)
class ControlFile:
    """A file of a package's control archive, such as a maintainer script."""

    data: bytes
    mode: int


class DebFile:
    """An open package. Get it from `open_deb`."""

    def __init__(
        self, name: str, files: Mapping[str, ControlFile], unpack: Callable[[int], list[Entry]]
    ) -> None:
        self.name = name
        self.files = files
        """The files of the control archive by name, ``control`` itself included."""
        self._unpack = unpack
        self._entries: list[Entry] | None = None

    @property
    def control(self) -> str:
        """The text of the control file: one stanza, with a newline at its end."""
        return self.files["control"].data.decode().strip("\n") + "\n"

    @property
    def fields(self) -> Mapping[str, str]:
        """The fields of the control file (Debian policy 5.3)."""
        return Deb822(self.control)

    @property
    def entries(self) -> list[Entry]:
        """The package's tree, in its own order and with the paths as packaged.

        The content of its files lies in a temporary file that goes when the package is closed.
        Raises `DebError` when the tree is malformed or hostile.
        """
        if self._entries is None:
            installed = self.fields.get("Installed-Size", "0")
            size = int(installed) if installed.isdecimal() else 0
            # The field counts KiB on disk; a tar of many small files takes a few times as much.
            self._entries = self._unpack(4 * 1024 * size + (64 << 20))
        return self._entries

    def content(self, path: str) -> Content:
        """Return the content of the file at `path`; raises `DebError` when there is none."""
        for entry in self.entries:
            if entry.path == path and entry.kind is Kind.FILE:
                return entry.content
        raise DebError(f"`{self.name}` has no file `{path}`")


@contextmanager
def open_deb(file: Path, name: str, scratch: Path) -> Iterator[DebFile]:
    """Give the package in `file`; its unpacked tree is kept in the directory `scratch` meanwhile.

    `name` is what messages call it. Raises `DebError` when the file breaks the format.
    """
    with file.open("rb") as archive, tempfile.NamedTemporaryFile(dir=scratch) as unpacked:
        members = dict(_members(archive, name))
        version = members.pop("debian-binary", None)
        if version is None or not _text(version, name).startswith("2."):
            raise DebError(f"`{name}` is not a package of format 2")
        control = io.BytesIO()
        _decompress("control.tar", members, control, _LARGEST_CONTROL, name)
        files = {
            entry.path: ControlFile(control.getvalue()[part.offset :][: part.size], entry.mode)
            for entry in _tree(control, Path(), name)
            if isinstance(part := entry.content, Slice)
        }
        if "control" not in files:
            raise DebError(f"`{name}` has no control file")

        def unpack(limit: int) -> list[Entry]:
            _decompress("data.tar", members, unpacked.file, limit, name)
            return list(_tree(unpacked.file, Path(unpacked.name), name))

        yield DebFile(name, files, unpack)


class _Part(io.RawIOBase):
    """A read-only window onto a part of a file."""

    def __init__(self, file: IO[bytes], offset: int, size: int) -> None:
        self._file = file
        self._position = offset
        self._end = offset + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        self._file.seek(self._position)
        data = self._file.read(min(len(buffer), self._end - self._position))
        self._position += len(data)
        buffer[: len(data)] = data
        return len(data)
