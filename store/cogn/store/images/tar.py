"""Listing a tar archive while it passes by: POSIX.1-2001 and GNU's long names.

The standard library's reader is not used: it keeps headers of any length in memory, and what it
takes for an archive differs between versions, while all machines have to agree on what a base has.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from cogn.store.errors import ImageError

__all__ = ["Member", "TarListing"]

_BLOCK = 512
_LONGEST_HEADER = 1 << 20
_LARGEST_CONTENT = 32 << 20
_LONGEST_PATH = 4096
_DEEPEST = 100
_POSIX = b"ustar\0"
_KINDS = {b"\0": "file", b"0": "file", b"7": "file", b"1": "hardlink", b"2": "symlink"}
_KINDS |= {b"3": "special", b"4": "special", b"5": "directory", b"6": "special"}


class Member(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One member of an archive; its path has no slash at either end and no ``.`` or ``..``.

    An array where it is stored.
    """

    path: str
    kind: str
    """``file``, ``hardlink``, ``symlink``, ``directory``, or ``special`` for devices and pipes."""
    mode: int
    uid: int
    gid: int
    target: str
    content: bytes | None = None
    """Of a file that was asked for."""


class TarListing:
    """Takes an archive piece by piece and calls `found` with each member.

    `wanted` tells of which files the content is wanted. Raises `ImageError` for what is no archive,
    and for what no archive of an honest image has.
    """

    def __init__(self, wanted: Callable[[str], bool], found: Callable[[Member], None]) -> None:
        self._wanted = wanted
        self._found = found
        self._skip = 0
        self._buffer = bytearray()
        self._size = _BLOCK
        self._then: Callable[[bytes], None] = self._take_header
        self._extended: dict[str, str] = {}
        self._zeros = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        view, position = memoryview(data), 0
        while position < len(view) and self._zeros < 2:
            if self._skip:
                step = min(self._skip, len(view) - position)
                self._skip -= step
            else:
                step = min(self._size - len(self._buffer), len(view) - position)
                self._buffer += view[position : position + step]
            position += step
            if len(self._buffer) == self._size:
                block, self._buffer, self._size = bytes(self._buffer), bytearray(), _BLOCK
                then, self._then = self._then, self._take_header
                then(block)

    def close(self) -> None:
        """Raise `ImageError` unless the archive has ended."""
        # Some writers leave out the end mark; readers take the end of the bytes for it.
        if self._skip or self._buffer or self._then != self._take_header or self._extended:
            raise ImageError("a layer's archive ends in the middle of a file")

    def _take_header(self, block: bytes) -> None:
        if not any(block):
            self._zeros += 1
            return
        if self._zeros or _number(block[148:156]) not in _sums(block):
            raise ImageError("a layer's archive is damaged")
        flag = block[156:157]
        size = _number(block[124:136])
        if flag in {b"x", b"g", b"L", b"K"}:
            self._collect(size, _LONGEST_HEADER, lambda data: self._take_extended(flag, data))
            return
        extended, self._extended = self._extended, {}
        self._take_member(block, flag, size, extended)

    def _take_member(self, block: bytes, flag: bytes, size: int, extended: dict[str, str]) -> None:
        name = extended.get("path") or _name(block)
        kind = _KINDS.get(flag)
        if kind is None or any(key.startswith("GNU.sparse.") for key in extended):
            raise ImageError(f"a layer has an entry of a kind that cogn does not read: {name[:80]}")
        if kind == "file" and flag == b"\0" and name.endswith("/"):
            kind = "directory"
        member = Member(
            path=_plain(name),
            kind=kind,
            mode=_number(block[100:108]) & 0o7777,
            uid=_decimal(extended, "uid", _number(block[108:116])),
            gid=_decimal(extended, "gid", _number(block[116:124])),
            target=extended.get("linkpath") or _text(block[157:257]),
        )
        # What is no file has no content, whatever its header says: so reads Go's archive/tar,
        # and every runtime with it.
        size = _decimal(extended, "size", size) if kind == "file" else 0
        if kind == "file" and self._wanted(member.path):
            self._collect(
                size, _LARGEST_CONTENT, lambda data: self._found(replace(member, content=data))
            )
            return
        self._skip = size + -size % _BLOCK
        if member.path:
            self._found(member)

    def _collect(self, size: int, limit: int, then: Callable[[bytes], None]) -> None:
        if size > limit:
            raise ImageError(f"a layer has a file of {size} bytes where there are {limit} at most")
        if size == 0:
            then(b"")
            return
        self._size = size + -size % _BLOCK
        self._then = lambda block: then(block[:size])

    def _take_extended(self, flag: bytes, data: bytes) -> None:
        match flag:
            case b"L":
                self._extended["path"] = _text(data)
            case b"K":
                self._extended["linkpath"] = _text(data)
            case b"x":
                self._extended |= _records(data)
            case _:
                pass  # global records: runtimes ignore them


def _name(block: bytes) -> str:
    name = _text(block[:100])
    prefix = _text(block[345:500]) if block[257:263] == _POSIX else ""
    return f"{prefix}/{name}" if prefix else name


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "backslashreplace")


def _plain(name: str) -> str:
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts or len(parts) > _DEEPEST or len(name) > _LONGEST_PATH:
        raise ImageError(f"a layer has a path that no image may have: `{name[:80]}`")
    return "/".join(parts)


def _number(data: bytes) -> int:
    """Return the value of a numeric field: octal digits or, as GNU has it, base 256."""
    if data[0] & 0x80:
        value = int.from_bytes(data, "big") & ((1 << (8 * len(data) - 1)) - 1)
        if data[0] & 0x40:
            raise ImageError("a layer's archive has a negative number")
        return value
    digits = data.strip(b"\0 ")
    try:
        return int(digits or b"0", 8)
    except ValueError as error:
        raise ImageError("a layer's archive is damaged") from error


def _sums(block: bytes) -> tuple[int, int]:
    """Return what the checksum may be: old writers took bytes for signed."""
    counted = block[:148] + b" " * 8 + block[156:]
    unsigned = sum(counted)
    return unsigned, unsigned - 256 * sum(byte > 127 for byte in counted)


def _decimal(records: dict[str, str], key: str, default: int) -> int:
    value = records.get(key)
    if value is None:
        return default
    if not value.isdecimal():
        raise ImageError("a layer's archive has a malformed extended header")
    return int(value)


def _records(data: bytes) -> dict[str, str]:
    """Return the records of an extended header: ``length key=value`` lines."""
    records, position = {}, 0
    while position < len(data):
        length, space, _ = data[position : position + 20].partition(b" ")
        end = position + int(length) if space and length.isdigit() else 0
        record = data[position + len(length) + 1 : end]
        key, equals, value = record[:-1].partition(b"=")
        if end <= position or end > len(data) or not equals or record[-1:] != b"\n":
            raise ImageError("a layer's archive has a malformed extended header")
        records[_text(key)] = value.decode("utf-8", "backslashreplace")
        position = end
    return records
