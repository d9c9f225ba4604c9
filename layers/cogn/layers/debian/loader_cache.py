"""The dynamic loader's cache, ``/etc/ld.so.cache``, in glibc's format 1.1 (``dl-cache.h``).

A header, the entries, a table of strings, and an extension that names who wrote the file and the
subdirectories of ``glibc-hwcaps``. The loader searches the entries by bisection, so their order is
part of the format. What is written here is, byte for byte, what ldconfig(8) of glibc 2.36 and later
writes from the same entries; older loaders read it too.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cogn.layers.errors import LayerError

__all__ = [
    "CacheEntry",
    "LoaderCache",
    "generator",
    "library_key",
    "merge_caches",
    "read_cache",
    "write_cache",
]

_OLD_MAGIC = b"ld.so-1.7.0\0"
_OLD_ENTRY = 12
_MAGIC = b"glibc-ld.so.cache1.1"
_HEADER = struct.Struct(f"<{len(_MAGIC)}sIIB3xI12x")
_ENTRY = struct.Struct("<iIIIQ")
_LITTLE_ENDIAN = 2
_ENDIAN_MASK = 3

_EXTENSION_MAGIC = -358342284 & 0xFFFFFFFF
_EXTENSION = struct.Struct("<II")
_SECTION = struct.Struct("<IIII")
_GENERATOR, _HWCAPS = 0, 1

_HAS_SUBDIRECTORY = 1 << 62
_ISA_LEVELS = 0x3FF

_LARGEST = 16 << 20
_LONGEST = 4096
_MOST_TEXT = 64 << 20


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """A library that the loader finds: the name that programs ask for, and where it is."""

    soname: str
    path: str
    """Absolute."""
    flags: int
    """As those of `cogn.layers.debian.libraries.Library`."""
    hwcaps: str = ""
    """The subdirectory of ``glibc-hwcaps`` that it is for, such as ``x86-64-v3``."""
    isa_level: int = 0
    """As that of `Library`; only noted of an entry with `hwcaps`."""


@dataclass(frozen=True, slots=True)
class LoaderCache:
    """What a cache says."""

    entries: Sequence[CacheEntry]
    generator: str
    """The program that wrote it, as `generator` returns it."""


def generator(distribution: str, version: str) -> str:
    """Return what ldconfig calls itself, for ``Debian`` or ``Ubuntu`` and its package's version."""
    upstream = version.rpartition("-")[0]
    return f"ldconfig ({distribution} GLIBC {version}) stable release version {upstream}"


def library_key(name: str) -> tuple[tuple[int, int], ...]:
    """Return a key that orders library names as the loader does: numbers by value, after letters.

    ``libx.so.10`` comes after ``libx.so.9``. glibc: ``_dl_cache_libcmp``.
    """
    tokens = re.findall(rb"[0-9]+|[^0-9]", name.encode("utf-8", "surrogateescape"))
    return tuple((1, _int32(token)) if token.isdigit() else (0, token[0]) for token in tokens)


def merge_caches(
    below: Iterable[CacheEntry], above: Iterable[CacheEntry], directories: Sequence[str]
) -> list[CacheEntry]:
    """Return the entries of a base and of the packages on top of it, one for each path and name.

    `directories` are those that the loader searches: of two libraries that differ in nothing else,
    that of the earlier directory is found. A directory of the base that is not among them was
    given to ldconfig by hand, and such directories go first.
    """
    order = {directory: number for number, directory in enumerate(directories, 1)}
    by_place = {(entry.path, entry.soname): entry for entry in (*below, *above)}

    def place(entry: CacheEntry) -> int:
        directory = entry.path.rpartition("/")[0]
        if entry.hwcaps:
            directory = directory.removesuffix(f"/glibc-hwcaps/{entry.hwcaps}")
        return order.get(directory, 0)

    return sorted(by_place.values(), key=place)


def write_cache(cache: LoaderCache) -> bytes:
    """Return the file for the entries, which are put in the loader's order.

    Entries that are equal to the loader (name, flags, subdirectory) keep the order they come in.
    """
    entries = sorted(cache.entries, key=lambda entry: (bool(not entry.hwcaps), entry.hwcaps))
    entries.sort(key=lambda entry: (library_key(entry.soname), entry.flags), reverse=True)
    subdirectories = sorted({entry.hwcaps for entry in entries if entry.hwcaps})
    start = _HEADER.size + len(entries) * _ENTRY.size
    texts = [text for entry in entries for text in (entry.soname, entry.path)]
    strings, offsets = _string_table([*texts, *subdirectories], start)
    extension = -(-(start + len(strings)) // 4) * 4
    parts = [_HEADER.pack(_MAGIC, len(entries), len(strings), _LITTLE_ENDIAN, extension)]
    for entry in entries:
        hwcap = 0
        if entry.hwcaps:
            index = subdirectories.index(entry.hwcaps)
            hwcap = _HAS_SUBDIRECTORY | entry.isa_level << 32 | index
        parts.append(_ENTRY.pack(entry.flags, offsets[entry.soname], offsets[entry.path], 0, hwcap))
    parts += [strings, bytes(extension - start - len(strings))]
    indexes = b"".join(offsets[name].to_bytes(4, "little") for name in subdirectories)
    parts.append(_extension(extension, indexes, cache.generator.encode()))
    return b"".join(parts)


def read_cache(data: bytes) -> LoaderCache:
    """Return what the file of a cache says; raises `LayerError` when it is damaged.

    An older glibc's file, which has the older format in front, is read too. Its entries for
    subdirectories such as ``tls`` are left out: loaders ignore them since glibc 2.37.
    """
    try:
        return _read(data)
    except (struct.error, IndexError, ValueError) as error:
        raise LayerError("the loader's cache `/etc/ld.so.cache` is damaged") from error


def _read(data: bytes) -> LoaderCache:
    if len(data) > _LARGEST:
        raise ValueError
    start = 0
    if data.startswith(_OLD_MAGIC):
        end = len(_OLD_MAGIC) + 4 + _OLD_ENTRY * _number(data, len(_OLD_MAGIC))
        start = -(-end // 8) * 8
    magic, count, _, flags, extension = _HEADER.unpack_from(data, start)
    if magic != _MAGIC or flags & _ENDIAN_MASK not in {0, _LITTLE_ENDIAN}:
        raise ValueError
    first = start + _HEADER.size
    if count * _ENTRY.size > len(data) - first:
        raise ValueError
    sections = _sections(data, extension)
    indexes = sections.get(_HWCAPS, b"")
    entries = []
    left = _MOST_TEXT
    for number in range(count):
        kind, key, value, _, hwcap = _ENTRY.unpack_from(data, first + number * _ENTRY.size)
        hwcaps, isa_level = "", 0
        if hwcap:
            high = hwcap >> 32
            if high & ~_ISA_LEVELS != _HAS_SUBDIRECTORY >> 32:
                continue
            hwcaps = _text(data, _number(indexes, 4 * (hwcap & 0xFFFFFFFF)))
            isa_level = high & _ISA_LEVELS
        soname, path = _text(data, start + key), _text(data, start + value)
        left -= len(soname) + len(path) + len(hwcaps)
        if left < 0 or not path.startswith("/"):
            raise ValueError
        entries.append(CacheEntry(soname, path, kind, hwcaps, isa_level))
    generator = sections.get(_GENERATOR, b"")
    return LoaderCache(entries, generator.decode("utf-8", "replace")[:_LONGEST])


def _number(data: bytes, offset: int) -> int:
    number: int = struct.unpack_from("<I", data, offset)[0]
    return number


def _text(data: bytes, offset: int) -> str:
    end = data.index(b"\0", offset, offset + _LONGEST)
    return data[offset:end].decode("utf-8", "surrogateescape")


def _sections(data: bytes, offset: int) -> dict[int, bytes]:
    """Return the sections of the extension by tag; none in the file of an older glibc."""
    if not offset:
        return {}
    magic, count = _EXTENSION.unpack_from(data, offset)
    if magic != _EXTENSION_MAGIC or count > len(data) // _SECTION.size:
        raise ValueError
    sections = {}
    for number in range(count):
        where = offset + _EXTENSION.size + number * _SECTION.size
        tag, _, start, size = _SECTION.unpack_from(data, where)
        if tag in {_GENERATOR, _HWCAPS}:
            sections[tag] = data[start : start + size]
    return sections


def _extension(offset: int, indexes: bytes, generator: bytes) -> bytes:
    count = 2 if indexes else 1
    start = offset + _EXTENSION.size + count * _SECTION.size
    sections = _SECTION.pack(_GENERATOR, 0, start + len(indexes), len(generator))
    if indexes:
        sections += _SECTION.pack(_HWCAPS, 0, start, len(indexes))
    return _EXTENSION.pack(_EXTENSION_MAGIC, count) + sections + indexes + generator


def _string_table(texts: Iterable[str], start: int) -> tuple[bytes, dict[str, int]]:
    """Return the table and where each text is, counted from `start` bytes before the table.

    Sorted by their ends, a text that ends another one follows it and shares its bytes.
    """
    encoded = {text.encode("utf-8", "surrogateescape"): text for text in texts}
    table = bytearray()
    offsets: dict[str, int] = {}
    previous = b""
    for data in sorted(encoded, key=lambda data: data[::-1], reverse=True):
        if not previous.endswith(data):
            table += data + b"\0"
        offsets[encoded[data]] = start + len(table) - 1 - len(data)
        previous = data
    return bytes(table), offsets


def _int32(digits: bytes) -> int:
    """Return the value that C's int has after overflowing, as glibc compares it."""
    value = 0
    for digit in digits:
        value = (value * 10 + digit - 48) & 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
