"""GVariant values of GLib: their types and how they are serialised ("GVariant Specification").

The serialised form is little-endian and normal: the one that GLib itself writes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

__all__ = [
    "ANY",
    "FORMATS",
    "INTEGER",
    "STRING",
    "STRINGS",
    "Variant",
    "VariantError",
    "array",
    "entry",
    "fixed_size",
    "is_type",
    "split_types",
    "tuple_",
    "variant",
]

FORMATS = dict(zip("bynqiuhxtd", ("<B", "<B", *(f"<{code}" for code in "hHiIiqQd")), strict=True))
"""The types of fixed size and how `struct` calls them."""
STRINGS = "sog"
"""Texts, object paths and signatures."""

INTEGER, STRING, ANY = "N", "S", "*"
"""Indefinite types: of a number and of a text before their types are known, and of anything."""

_SINGLE = f"{''.join(FORMATS)}{STRINGS}v{INTEGER}{STRING}{ANY}"
_DEEPEST = 32
_CACHED = 1024


class VariantError(ValueError):
    """Raised when a text is no value, or none of the type wanted."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A value: its type string and its serialised bytes."""

    type: str
    data: bytes


def variant(value: Variant) -> Variant:
    """Return a value in a box that tells its type."""
    return Variant("v", value.data + b"\0" + value.type.encode())


def tuple_(*members: Variant) -> Variant:
    """Return a tuple."""
    return _structure(f"({''.join(member.type for member in members)})", members)


def entry(key: Variant, value: Variant) -> Variant:
    """Return an entry of a dictionary."""
    return _structure(f"{{{key.type}{value.type}}}", (key, value))


def array(element: str, items: Iterable[Variant]) -> Variant:
    """Return an array of items, which are all of the type `element`."""
    body = bytearray()
    ends = []
    for item in items:
        _pad(body, _alignment(element))
        body += item.data
        ends.append(len(body))
    framing = [] if fixed_size(element) is not None else ends
    return Variant(f"a{element}", _framed(body, framing))


def _structure(type_: str, members: Sequence[Variant]) -> Variant:
    body = bytearray()
    ends = []
    for number, member in enumerate(members, 1):
        _pad(body, _alignment(member.type))
        body += member.data
        if fixed_size(member.type) is None and number < len(members):
            ends.append(len(body))
    if fixed_size(type_) is not None:
        _pad(body, _alignment(type_))
        return Variant(type_, bytes(body) or b"\0")
    return Variant(type_, _framed(body, ends[::-1]))


def _pad(body: bytearray, alignment: int) -> None:
    body += bytes(-len(body) % alignment)


def _framed(body: bytearray, ends: Sequence[int]) -> bytes:
    """Return the body with its framing offsets, in the smallest width that counts all of it."""
    width = next(w for w in (1, 2, 4, 8) if len(body) + w * len(ends) < 1 << 8 * w)
    return bytes(body) + b"".join(end.to_bytes(width, "little") for end in ends)


def is_type(type_: str) -> bool:
    """Tell whether a string is one definite type."""
    try:
        return list(split_types(type_)) == [type_] and not {INTEGER, STRING, ANY} & set(type_)
    except VariantError:
        return False


def split_types(types: str) -> Iterator[str]:
    """Yield the complete types that a string is made of."""
    start = 0
    while start < len(types):
        end = _end_of_type(types, start, 0)
        yield types[start:end]
        start = end


def _end_of_type(types: str, at: int, depth: int) -> int:
    kind = types[at : at + 1]
    if kind and kind in _SINGLE:
        return at + 1
    if depth == _DEEPEST:
        raise VariantError(f"`{types}` is nested too deep")
    if kind in {"a", "m"}:
        return _end_of_type(types, at + 1, depth + 1)
    if kind == "(":
        at += 1
        while types[at : at + 1] != ")":
            at = _end_of_type(types, at, depth + 1)
        return at + 1
    if kind == "{":
        end = _end_of_type(types, _end_of_type(types, at + 1, depth + 1), depth + 1)
        if types[end : end + 1] == "}":
            return end + 1
    raise VariantError(f"`{types}` is not a type")


@lru_cache(_CACHED)
def _alignment(type_: str) -> int:
    kind = type_[0]
    if kind in FORMATS:
        return struct.calcsize(FORMATS[kind])
    if kind in "am":
        return _alignment(type_[1:])
    if kind in "({":
        return max((_alignment(member) for member in split_types(type_[1:-1])), default=1)
    return 8 if kind == "v" else 1


@lru_cache(_CACHED)
def fixed_size(type_: str) -> int | None:
    """Return the size of all values of a type, or None when it varies."""
    kind = type_[0]
    if kind in FORMATS:
        return struct.calcsize(FORMATS[kind])
    if kind not in "({":
        return None
    size = 0
    for member in split_types(type_[1:-1]):
        member_size = fixed_size(member)
        if member_size is None:
            return None
        size += -size % _alignment(member) + member_size
    return size + -size % _alignment(type_) or 1
