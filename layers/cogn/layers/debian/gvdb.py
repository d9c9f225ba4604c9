"""GVDB files (``gvdb-format.h``): hash tables of GVariant values, as GSettings and dconf read them.

The order of the entries in one bucket of a table is free. Here it is that of their names, so the
same tables give the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from cogn.layers.debian.gvariant import Variant, variant

__all__ = ["Table", "write_gvdb"]

Table = Mapping[str, "Variant | Table"]
"""A table; its entries are values and tables. What begins with a dot is not listed."""

_SIGNATURE = b"GVariant"
_HEADER = struct.Struct("<8sIIII")
_ITEM = struct.Struct("<IIIHBBII")
_NO_PARENT = 0xFFFFFFFF
_BLOOM_SHIFT = 5 << 27
_LIST = ""
"""The name of the entry that lists the others."""


def write_gvdb(table: Table) -> bytes:
    """Return the file for a table and the tables in it.

    Each table has an entry with an empty name, the parent of all others but those whose names begin
    with a dot: it lists them, so that a program can go through them.
    """
    body = bytearray(_HEADER.size)
    start, end = _add_table(body, table)
    _HEADER.pack_into(body, 0, _SIGNATURE, 0, 0, start, end)
    return bytes(body)


def _add_table(body: bytearray, table: Table) -> tuple[int, int]:
    names = sorted([_LIST, *table])
    buckets: list[list[str]] = [[] for _ in names]
    for name in names:
        buckets[_hash(name) % len(buckets)].append(name)
    indexes = {name: index for index, name in enumerate(name for b in buckets for name in b)}
    children = [indexes[name] for name in names if name and not name.startswith(".")]
    firsts = [0]
    for bucket in buckets[:-1]:
        firsts.append(firsts[-1] + len(bucket))
    head = struct.pack(f"<{2 + len(firsts)}I", _BLOOM_SHIFT, len(firsts), *firsts)
    start, end = _add(body, 4, head + bytes(len(names) * _ITEM.size))
    for name, index in indexes.items():
        key = name.encode()
        key_start, _ = _add(body, 1, key)
        is_child = index in children
        kind, pointer = _add_item(body, table.get(name), children)
        item = (
            *(_hash(name), indexes[_LIST] if is_child else _NO_PARENT),
            *(key_start, len(key), kind, 0, *pointer),
        )
        _ITEM.pack_into(body, start + len(head) + index * _ITEM.size, *item)
    return start, end


def _add_item(
    body: bytearray, item: Variant | Table | None, children: list[int]
) -> tuple[int, tuple[int, int]]:
    """Add what an entry holds, the list of `children` for None; return its kind and its place."""
    if isinstance(item, Variant):
        return ord("v"), _add(body, 8, variant(item).data)
    if item is not None:
        return ord("H"), _add_table(body, item)
    if children:
        return ord("L"), _add(body, 4, struct.pack(f"<{len(children)}I", *children))
    return 0, (0, 0)


def _add(body: bytearray, alignment: int, data: bytes) -> tuple[int, int]:
    body += bytes(-len(body) % alignment)
    start = len(body)
    body += data
    return start, len(body)


def _hash(name: str) -> int:
    value = 5381
    for byte in name.encode():
        value = (value * 33 + (byte - 256 if byte > 127 else byte)) & 0xFFFFFFFF
    return value
