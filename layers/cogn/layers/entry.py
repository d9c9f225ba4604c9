"""What a layer is made of: entries, and where the content of a file comes from.

An entry's path is relative to the image's root, with ``/`` between its parts, no ``.`` or ``..``,
and no slash at either end. Content is described, not loaded: a layer of gigabytes is planned in
a list of small objects and read when it is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

__all__ = [
    "MTIME",
    "Bytes",
    "Content",
    "DeflateStream",
    "Entry",
    "Kind",
    "Slice",
    "WholeFile",
    "check_path",
]

MTIME = 315_619_200
"""1980-01-02T00:00:00Z: zip tools refuse anything before 1980, in any time zone."""


@dataclass(frozen=True, slots=True)
class Bytes:
    """Content that is already in memory."""

    data: bytes

    @property
    def size(self) -> int:
        """Return the size in bytes."""
        return len(self.data)


@dataclass(frozen=True, slots=True)
class Slice:
    """Content that lies as it is in a part of a file; `crc` is its CRC-32, where it is stated."""

    file: Path
    offset: int
    size: int
    crc: int | None = None
    name: str = ""
    """What messages call the content."""


@dataclass(frozen=True, slots=True)
class DeflateStream:
    """Content that lies as one raw deflate stream (RFC 1951) in a part of a file.

    `crc` and `size` are the CRC-32 and the size that inflating must give.
    """

    file: Path
    offset: int
    compressed_size: int
    size: int
    crc: int
    name: str = ""
    """What messages call the content."""


@dataclass(frozen=True, slots=True)
class WholeFile:
    """Content that is that of a file, with the hash (hex SHA-256) that reading it must give."""

    file: Path
    size: int
    sha256: str
    compress: bool = True
    """Whether it is compressed in a layer."""


Content = Bytes | Slice | DeflateStream | WholeFile


class Kind(Enum):
    """The kinds of entries, with their tar type flags (POSIX.1-1988)."""

    FILE = b"0"
    HARDLINK = b"1"
    SYMLINK = b"2"
    DIRECTORY = b"5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file, directory or link of a layer. Owner and group are root unless given."""

    path: str
    kind: Kind
    mode: int
    """The permission bits, with setuid, setgid and sticky."""
    mtime: int = MTIME
    """Seconds since 1970."""
    uid: int = 0
    gid: int = 0
    target: str = ""
    """Of a symlink: its text. Of a hard link: the path of a file in the same layer."""
    content: Content = Bytes(b"")
    xattrs: tuple[tuple[str, bytes], ...] = ()
    """Extended attributes (xattr(7)) by name, such as ``security.capability``."""

    @classmethod
    def file(cls, path: str, content: Content, *, executable: bool = False) -> Entry:
        """Return a regular file with mode 0755 or 0644."""
        mode = 0o755 if executable else 0o644
        return cls(path=path, kind=Kind.FILE, mode=mode, content=content)

    @classmethod
    def directory(cls, path: str, mode: int = 0o755) -> Entry:
        """Return a directory."""
        return cls(path=path, kind=Kind.DIRECTORY, mode=mode)

    @classmethod
    def symlink(cls, path: str, target: str) -> Entry:
        """Return a symbolic link whose text is `target`."""
        return cls(path=path, kind=Kind.SYMLINK, mode=0o777, target=target)


def check_path(path: str) -> str | None:
    """Return why `path` cannot be the path of an entry, or None when it can.

    Whiteout names are refused because a container runtime reads them as deletions (OCI image
    specification, layer.md).
    """
    if not path or path.startswith("/"):
        return "is not a relative path"
    if "\0" in path or "\n" in path:
        return "has a character that no path in an image may have"
    for part in path.split("/"):
        if part in {"", ".", ".."}:
            return f"has a part `{part}`"
        if part.startswith(".wh."):
            return "has a name that container runtimes read as a deletion (`.wh.`)"
    return None
