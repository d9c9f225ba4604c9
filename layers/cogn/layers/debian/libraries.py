"""Shared libraries as ldconfig(8) sees them: name, kind and ISA level, from a few ELF headers.

The rules are those of glibc's ``readlib.c`` and ``readelflib.c``; the formats those of the gABI
and, for the property note, of the x86-64 psABI. Written with struct, because a general ELF
reader takes ten times as long for the few small pieces that are needed of every library of an
image, and stops at a hostile file with any kind of error.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping

import msgspec

__all__ = ["NAME_LIMIT", "Library", "read_library"]

NAME_LIMIT = 255
"""The longest name in bytes that a file can have (``NAME_MAX``)."""

_LIBC6 = 0x0003
_KINDS: Mapping[tuple[int, int], int] = {
    (2, 62): 0x0300,  # x86-64
    (1, 62): 0x0800,  # x86-64 with 32-bit pointers
    (1, 3): 0x0000,  # i386
    (2, 183): 0x0A00,  # AArch64
}
"""What ``FLAG_REQUIRED_MASK`` covers in glibc's ``ldconfig.h``, by ELF class and machine."""

_ARM = (1, 40)
_ARM_HARD_FLOAT = 0x400
_ARM_SOFT_FLOAT = 0x200
_ARM_EABI_5 = 0x05

_SHARED_OBJECT = 3
_LOAD, _DYNAMIC, _GNU_PROPERTY = 1, 2, 0x6474E553
_END, _STRING_TABLE, _SONAME = 0, 5, 14
_PROPERTY_NOTE = 5
_X86_ISA_1_NEEDED = 0xC0008002

_FIRST = 1024
_MOST_SEGMENTS = 512
_LARGEST_DYNAMIC = 1 << 16
_LARGEST_NOTE = 1 << 12

Read = Callable[[int, int], bytes]


class Library(msgspec.Struct, frozen=True, array_like=True):
    """A shared library. An array where it is stored."""

    soname: str | None
    """What it calls itself (``DT_SONAME``); without that, its file's name stands in."""
    flags: int
    """Its class, machine and C library, as an entry of ld.so.cache has them."""
    isa_level: int = 0
    """The highest bit of the x86 ISA levels that it needs: 0 is the baseline, 1 is v2."""


class _Segment(msgspec.Struct, frozen=True):
    """A program header."""

    kind: int
    offset: int
    address: int
    size: int
    alignment: int


def read_library(read: Read, size: int) -> Library | None:
    """Return what the file of `size` bytes is to the loader, or None for what ldconfig skips.

    `read` returns the bytes at an offset, up to a number of them. It is asked for a few pieces of
    bounded size, and whatever the file holds, nothing is raised.
    """
    try:
        return _library(read, size)
    except (struct.error, UnicodeDecodeError):
        return None


def _library(read: Read, size: int) -> Library | None:
    head = read(0, min(size, _FIRST))
    if head[:4] != b"\x7fELF" or head[5:6] != b"\x01":
        return None
    wide = head[4] == 2
    kind, machine = struct.unpack_from("<HH", head, 16)
    flags = struct.unpack_from("<I", head, 48 if wide else 36)[0]
    required = _required(head[4], machine, flags)
    if kind != _SHARED_OBJECT or required is None:
        return None
    segments = _segments(read, size, head, wide)
    dynamic = [segment for segment in segments if segment.kind == _DYNAMIC]
    if not dynamic or not dynamic[-1].size or dynamic[-1].offset >= size:
        return None
    pairs = list(_pairs(_piece(read, size, dynamic[-1], _LARGEST_DYNAMIC), wide))
    strings = next((value for tag, value in pairs if tag == _STRING_TABLE), None)
    if strings is None:
        return None
    soname = next((value for tag, value in pairs if tag == _SONAME), None)
    name = None
    if soname is not None:
        offset = _file_offset(segments, strings) + soname
        if offset >= size:
            return None
        text, end, _ = read(offset, NAME_LIMIT + 1).partition(b"\0")
        name = text.decode()
        if not end or not name or "/" in name or "\n" in name or name in {".", ".."}:
            return None
    is_x86 = machine in {3, 62}
    notes = [segment for segment in segments if segment.kind == _GNU_PROPERTY]
    levels = [_isa_level(_piece(read, size, note, _LARGEST_NOTE), note, wide) for note in notes]
    return Library(name, required | _LIBC6, max(levels, default=0) if is_x86 else 0)


def _required(width: int, machine: int, flags: int) -> int | None:
    """Return the flag of the machine, or None for one that no platform of cogn can load."""
    if (width, machine) == _ARM and flags >> 24 == _ARM_EABI_5:
        if flags & _ARM_HARD_FLOAT:
            return 0x0900
        if flags & _ARM_SOFT_FLOAT:
            return 0x0B00
    return _KINDS.get((width, machine))


def _segments(read: Read, size: int, head: bytes, wide: bool) -> list[_Segment]:
    offset = (
        struct.unpack_from("<Q", head, 32)[0] if wide else struct.unpack_from("<I", head, 28)[0]
    )
    count = min(struct.unpack_from("<H", head, 56 if wide else 44)[0], _MOST_SEGMENTS)
    layout = struct.Struct("<IIQQQQQQ" if wide else "<IIIIIIII")
    end = offset + count * layout.size
    if end > size:
        return []
    table = head[offset:end] if end <= len(head) else read(offset, end - offset)
    segments = []
    for fields in layout.iter_unpack(table):
        if wide:
            kind, _, position, address, _, length, _, alignment = fields
        else:
            kind, position, address, _, length, _, _, alignment = fields
        segments.append(_Segment(kind, position, address, length, alignment))
    return segments


def _piece(read: Read, size: int, segment: _Segment, limit: int) -> bytes:
    """Return the first bytes of a segment, as far as the file has them."""
    count = min(segment.size, limit, size - segment.offset)
    return read(segment.offset, count) if count > 0 else b""


def _pairs(table: bytes, wide: bool) -> Iterator[tuple[int, int]]:
    """Yield the tags of a dynamic section with their values."""
    layout = struct.Struct("<QQ" if wide else "<II")
    for tag, value in layout.iter_unpack(table[: len(table) - len(table) % layout.size]):
        if tag == _END:
            return
        yield tag, value


def _file_offset(segments: list[_Segment], address: int) -> int:
    for segment in segments:
        if segment.kind == _LOAD and 0 <= address - segment.address < segment.size:
            return address - segment.address + segment.offset
    return address


def _isa_level(note: bytes, segment: _Segment, wide: bool) -> int:
    """Return the highest ISA level that a GNU property note says is needed; 0 without one."""
    word = 8 if wide else 4
    if segment.alignment != word:
        return 0
    offset = 0
    while offset + 16 <= len(note):
        name_size, size, kind = struct.unpack_from("<III", note, offset)
        start = offset + 12 + _aligned(name_size, 4)
        if kind == _PROPERTY_NOTE and note[offset + 12 : offset + 16] == b"GNU\0":
            return _needed(note[start : start + size], word)
        offset = _aligned(start + size, word)
    return 0


def _needed(properties: bytes, word: int) -> int:
    offset = 0
    while offset + 8 <= len(properties):
        kind, size = struct.unpack_from("<II", properties, offset)
        if kind >= _X86_ISA_1_NEEDED:
            if kind > _X86_ISA_1_NEEDED or size != 4:
                return 0
            levels: int = struct.unpack_from("<I", properties, offset + 8)[0]
            return max(levels.bit_length() - 1, 0)
        offset += 8 + _aligned(size, word)
    return 0


def _aligned(number: int, boundary: int) -> int:
    return -(-number // boundary) * boundary
