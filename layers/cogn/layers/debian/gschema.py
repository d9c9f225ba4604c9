"""Schemas of GSettings: their keys, what these may hold, and the form that GLib reads.

The form is that of ``gschemas.compiled`` in ``glib-compile-schemas.c`` and ``strinfo.c``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from cogn.layers.debian.gvariant import FORMATS, Variant, array, entry, tuple_, variant
from cogn.layers.debian.gvdb import Table

__all__ = ["Key", "Names", "Schema", "SchemaError", "Schemas", "number_of"]

_LONGEST_NICK = 65


class SchemaError(ValueError):
    """Raised when a file breaks the rules of schemas."""


@dataclass(slots=True)
class Names:
    """The words that a key may hold, as GLib stores them: with numbers, one word for each alias."""

    data: bytes = b""
    words: dict[str, int] = field(default_factory=dict)
    """The words that are no aliases, with the places of their numbers."""
    aliases: set[str] = field(default_factory=set)

    def add(self, word: str, number: int, *, is_alias: bool = False) -> None:
        """Add a word with its number, or that of an alias: the place of the word that it is for."""
        size = len(word.encode())
        if size > _LONGEST_NICK or "\0" in word:
            raise SchemaError(f"`{word}` is too long")
        if word in self.words or word in self.aliases:
            raise SchemaError(f"`{word}` is given twice")
        if is_alias:
            self.aliases.add(word)
        else:
            self.words[word] = len(self.data) // 4
        mark = b"\xfe" if is_alias else b"\xff"
        padded = (mark + word.encode()).ljust(max(8, (size + 6) // 4 * 4) - 1, b"\0")
        self.data += struct.pack("<I", number & 0xFFFFFFFF) + padded + b"\xff"

    def copy(self) -> Names:
        """Return names of their own, to which aliases can be added."""
        return Names(self.data, dict(self.words), set(self.aliases))


@dataclass(slots=True)
class Key:
    """A key of a schema, or its new default in a schema that extends it."""

    type: str
    kind: bytes
    """``e`` of an enumeration, ``f`` of flags, ``c`` else."""
    names: Names
    default: Variant | None = None
    is_override: bool = False
    translation: tuple[bytes, str] | None = None
    limits: tuple[Variant, Variant] | None = None
    desktops: dict[str, Variant] = field(default_factory=dict)

    def check(self, value: Variant) -> Variant:
        """Return a value that the key may have; raises `SchemaError`."""
        if self.limits is not None:
            low, high = (number_of(limit) for limit in self.limits)
            if number_of(value) < low or number_of(value) > high:
                raise SchemaError("a value is not in its range")
        elif self.names.data and not set(_texts(value.type, value.data)) <= self.names.words.keys():
            raise SchemaError("a value is none of the choices")
        return value

    def serialised(self) -> Variant:
        """Return the default and what else GLib knows of the key."""
        assert self.default is not None
        parts = [self.default]
        if self.translation is not None:
            category, text = self.translation
            parts.append(_tagged(b"l", tuple_(Variant("y", category), _string(text))))
        if self.names.data:
            parts.append(_tagged(self.kind, Variant("au", self.names.data)))
        if self.limits is not None:
            parts.append(_tagged(b"r", tuple_(*self.limits)))
        if self.desktops:
            items = [
                entry(_string(name), variant(value))
                for name, value in sorted(self.desktops.items())
            ]
            parts.append(_tagged(b"d", array("{sv}", items)))
        return tuple_(*parts)


@dataclass(slots=True)
class Schema:
    """A schema."""

    path: str | None
    domain: str | None
    extends: str | None
    list_of: str | None
    keys: dict[str, Key] = field(default_factory=dict)
    children: dict[str, str] = field(default_factory=dict)

    def table(self) -> Table:
        """Return the schema as a table of its keys."""
        texts = {".path": self.path, ".extends": self.extends, ".list-of": self.list_of}
        if any(key.translation for key in self.keys.values()):
            texts[".gettext-domain"] = self.domain
        texts |= {f"{name}/": schema for name, schema in self.children.items()}
        return {
            **{name: key.serialised() for name, key in self.keys.items()},
            **{name: _string(text) for name, text in texts.items() if text is not None},
        }


@dataclass(slots=True)
class Schemas:
    """Everything that was defined so far."""

    schemas: dict[str, Schema] = field(default_factory=dict)
    enums: dict[str, Names] = field(default_factory=dict)
    flags: dict[str, Names] = field(default_factory=dict)

    def ancestors(self, schema: Schema) -> Iterator[Schema]:
        """Yield the schemas that a schema extends, the nearest first."""
        while schema.extends is not None:
            schema = self.schemas[schema.extends]
            yield schema

    def extends(self, name: str, ancestor: str) -> bool:
        """Tell whether a schema is another one or extends it, however far."""
        schema = self.schemas[name]
        line = (schema, *self.ancestors(schema))
        return name == ancestor or any(one.extends == ancestor for one in line)


def number_of(value: Variant) -> float:
    """Return the number that a value of a type of numbers is."""
    number: float = struct.unpack(FORMATS[value.type], value.data)[0]
    return number


def _texts(type_: str, data: bytes) -> Iterator[str]:
    """Yield the texts in a value of texts, of arrays of them and so on."""
    if type_ == "s":
        yield data[:-1].decode()
    elif type_[0] == "m":
        if data:
            yield from _texts(type_[1:], data[:-1])
    elif data:
        width = next(width for width in (1, 2, 4, 8) if len(data) < 1 << 8 * width)
        offsets = int.from_bytes(data[-width:], "little")
        start = 0
        for at in range(offsets, len(data), width):
            end = int.from_bytes(data[at : at + width], "little")
            yield from _texts(type_[1:], data[start:end])
            start = end


def _string(text: str) -> Variant:
    return Variant("s", text.encode() + b"\0")


def _tagged(tag: bytes, value: Variant) -> Variant:
    return tuple_(Variant("y", tag), value)
