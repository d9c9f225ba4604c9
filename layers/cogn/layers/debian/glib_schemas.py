"""``gschemas.compiled``: what glib-compile-schemas(1) makes of the schemas of GSettings.

The rules are those of ``gschema.dtd`` and of the program. As with the program, a file with an error
is left out whole, and an override that does not fit is left out alone; both are told.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from cogn.layers.debian.gschema import Key, Names, Schema, SchemaError, Schemas, number_of
from cogn.layers.debian.gvariant import FORMATS, VariantError, is_type
from cogn.layers.debian.gvariant_text import parse_variant
from cogn.layers.debian.gvdb import write_gvdb

__all__ = ["CompiledSchemas", "compile_schemas"]

_ENUMS = ".enums.xml"
_SCHEMA = ".gschema.xml"
_OVERRIDE = ".gschema.override"
_NAME = re.compile(r"[a-z](?:-?[a-z0-9])*")
_LONGEST_NAME = 1024
_INTEGER = re.compile(r"\s*([+-]?)(?:0[xX]([0-9a-fA-F]{1,8})|(0[0-7]{0,11})|([1-9][0-9]{0,9}))")
_TRANSLATED = {"messages": b"m", "time": b"t"}
_SPACE = " \t\n\v\f\r"
_CONTEXT_END = "\x04"

_KEY_TYPES = {"type", "enum", "flags"}
_TEXTS = {"summary", "description"}
_ATTRIBUTES: Mapping[str, tuple[set[str], set[str]]] = {
    "schemalist": (set(), {"gettext-domain"}),
    "schema": ({"id"}, {"path", "gettext-domain", "extends", "list-of"}),
    "enum": ({"id"}, set()),
    "flags": ({"id"}, set()),
    "key": ({"name"}, _KEY_TYPES),
    "child": ({"name", "schema"}, set()),
    "override": ({"name"}, {"l10n", "context"}),
    "default": (set(), {"l10n", "context"}),
    "summary": (set(), set()),
    "description": (set(), set()),
    "choices": (set(), set()),
    "aliases": (set(), set()),
    "range": (set(), {"min", "max"}),
    "choice": ({"value"}, set()),
    "alias": ({"value", "target"}, set()),
    "value": ({"nick", "value"}, set()),
}
"""The attributes that each element must have, and those that it may have."""

_CHILDREN: Mapping[str, set[str]] = {
    "schemalist": {"schema", "enum", "flags"},
    "schema": {"key", "child", "override"},
    "enum": {"value"},
    "flags": {"value"},
    "key": {"default", "range", "choices", "aliases"} | _TEXTS,
    "choices": {"choice"},
    "aliases": {"alias"},
}


@dataclass(frozen=True, slots=True)
class CompiledSchemas:
    """The compiled file, and what is not in it."""

    data: bytes
    ignored: Mapping[str, str]
    """The files that were left out, wholly or in part, with the reasons."""


def compile_schemas(files: Mapping[str, bytes]) -> CompiledSchemas:
    """Return the compiled form of the files in a directory of schemas, by their names.

    Files of other kinds in it are no matter.
    """
    ignored: dict[str, str] = {}
    defined = Schemas()
    for name in sorted(files, key=lambda name: (not name.endswith(_ENUMS), name)):
        if name.endswith((_SCHEMA, _ENUMS)):
            # What a file with an error has defined before it is not taken either.
            before = Schemas(dict(defined.schemas), dict(defined.enums), dict(defined.flags))
            try:
                _read(files[name], defined)
            except (SchemaError, VariantError, UnicodeError, ElementTree.ParseError) as error:
                ignored[name] = str(error)
                defined = before
    for name in sorted(files):
        if name.endswith(_OVERRIDE):
            reasons = list(_override(files[name], defined.schemas))
            if reasons:
                ignored[name] = "; ".join(reasons)
    tables = {name: schema.table() for name, schema in defined.schemas.items()}
    return CompiledSchemas(write_gvdb(tables), ignored)


def _read(data: bytes, defined: Schemas) -> None:
    text = data.decode()
    if "<!ENTITY" in text:
        raise SchemaError("it defines entities")
    root = ElementTree.fromstring(text)  # noqa: S314  # entities are refused above
    if root.tag != "schemalist":
        raise SchemaError(f"an element `{root.tag}` is at the top")
    _check(root)
    for element in root:
        if element.tag == "schema":
            _schema(element, root.get("gettext-domain"), defined)
        else:
            table = defined.enums if element.tag == "enum" else defined.flags
            if element.attrib["id"] in table:
                raise SchemaError(f"`{element.attrib['id']}` is defined twice")
            table[element.attrib["id"]] = _enumeration(element)


def _check(element: ElementTree.Element) -> None:
    """Raise `SchemaError` for elements, attributes and text where there must be none."""
    required, optional = _ATTRIBUTES[element.tag]
    given = {name for name in element.attrib if not name.startswith("{")}
    if not required <= given <= required | optional:
        raise SchemaError(f"an element `{element.tag}` has not the right attributes")
    allowed = _CHILDREN.get(element.tag, set())
    texts = [child.tail for child in element]
    if element.tag not in {"default", "override", *_TEXTS}:
        texts.append(element.text)
    if any(text and text.strip(_SPACE) for text in texts):
        raise SchemaError(f"an element `{element.tag}` has text in it")
    for child in element:
        if child.tag not in allowed:
            raise SchemaError(f"an element `{child.tag}` is inside of `{element.tag}`")
        _check(child)


def _enumeration(element: ElementTree.Element) -> Names:
    names = Names()
    numbers = set()
    for value in element:
        nick = value.attrib["nick"]
        number = _integer(value.attrib["value"])
        if len(nick.encode()) < 2 or number in numbers:
            raise SchemaError(f"`{nick}` is too short, or its number is not its own")
        numbers.add(number)
        low, high = (0, 1 << 32) if element.tag == "flags" else (-1 << 31, 1 << 31)
        if not low <= number < high or (element.tag == "flags" and number & (number - 1)):
            raise SchemaError(f"`{nick}` has a number that is not right")
        if number or element.tag == "enum":  # no flag at all is written as an empty list
            names.add(nick, number)
    if not names.data:
        raise SchemaError(f"`{element.attrib['id']}` has no values")
    return names


def _schema(element: ElementTree.Element, domain: str | None, defined: Schemas) -> None:
    name, path = element.attrib["id"], element.get("path")
    extends, list_of = element.get("extends"), element.get("list-of")
    known = defined.schemas
    if not name or name.startswith("."):
        raise SchemaError(f"`{name}` cannot be the name of a schema")
    if name in known or any(other and other not in known for other in (extends, list_of)):
        raise SchemaError(f"schema `{name}` is defined twice, or leans on one that is not there")
    if (list_of and known[list_of].path) or (extends and known[extends].path):
        raise SchemaError(f"schema `{name}` leans on one that has a path")
    if extends:
        inherited = known[extends].list_of
        if list_of and not (inherited and defined.extends(list_of, inherited)):
            raise SchemaError(f"schema `{name}` is not a list of the same as `{extends}`")
        list_of = list_of or inherited
    if path is not None and not (path.startswith("/") and path.endswith(":/" if list_of else "/")):
        raise SchemaError(f"schema `{name}` has a path that is not right")
    schema = Schema(path, element.get("gettext-domain", domain), extends, list_of)
    known[name] = schema
    for child in element:
        _member(child, schema, defined)


def _member(element: ElementTree.Element, schema: Schema, defined: Schemas) -> None:
    name = element.attrib["name"]
    if element.tag == "override":
        above = [one.keys[name] for one in defined.ancestors(schema) if name in one.keys]
        if not above or name in schema.keys:
            raise SchemaError(f"there is no one key `{name}` to override")
        key = Key(above[0].type, above[0].kind, above[0].names, is_override=True)
        key.limits = above[0].limits
        schema.keys[name] = key
        _default(element, key, schema)
        return
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise SchemaError(f"`{name}` cannot be a name")
    if element.tag == "child":
        if name in schema.children:
            raise SchemaError(f"child `{name}` is defined twice")
        schema.children[name] = element.attrib["schema"]
        return
    shadowed = any(
        name in one.keys and not one.keys[name].is_override for one in defined.ancestors(schema)
    )
    if name in schema.keys or shadowed or schema.list_of:
        raise SchemaError(f"key `{name}` is defined twice, or in a list")
    schema.keys[name] = _key(element, schema, defined)


def _key(element: ElementTree.Element, schema: Schema, defined: Schemas) -> Key:
    match {name: text for name, text in element.attrib.items() if name in _KEY_TYPES}:
        case {"type": type_, **rest} if not rest and is_type(type_):
            key = Key(type_, b"c", Names())
        case {"enum": name, **rest} if not rest and name in defined.enums:
            key = Key("s", b"e", defined.enums[name].copy())
        case {"flags": name, **rest} if not rest and name in defined.flags:
            key = Key("as", b"f", defined.flags[name].copy())
        case _:
            raise SchemaError(f"key `{element.attrib['name']}` has no type that is known")
    parts: Mapping[str, Callable[[ElementTree.Element, Key], None]] = {
        "default": lambda part, key: _default(part, key, schema),
        "range": _range,
        "choices": _choices,
        "aliases": _aliases,
    }
    for part in element:
        if part.tag in parts:
            parts[part.tag](part, key)
            if key.default is not None:
                key.check(key.default)
    if key.default is None:
        raise SchemaError(f"key `{element.attrib['name']}` has no default")
    return key


def _default(element: ElementTree.Element, key: Key, schema: Schema) -> None:
    text = element.text or ""
    category, context = element.get("l10n"), element.get("context")
    if category is not None:
        if category not in _TRANSLATED or schema.domain is None:
            raise SchemaError("a default cannot be translated")
        before = "" if context is None else context + _CONTEXT_END
        key.translation = _TRANSLATED[category], before + text.strip(_SPACE)
    elif context is not None:
        raise SchemaError("a default has a context and is not translated")
    key.default = key.check(parse_variant(text, key.type))


def _range(element: ElementTree.Element, key: Key) -> None:
    if key.limits is not None or key.type not in "ynqiuxtd":
        raise SchemaError("a range is given twice, or to a key that is no number")
    ends = ("-inf", "inf")
    if key.type != "d":
        bits = 8 * struct.calcsize(FORMATS[key.type])
        is_signed = key.type in "nix"
        low = -1 << bits - 1 if is_signed else 0
        ends = (str(low), str(low + (1 << bits) - 1))
    low_text, high_text = element.get("min", ends[0]), element.get("max", ends[1])
    limits = parse_variant(low_text, key.type), parse_variant(high_text, key.type)
    if number_of(limits[0]) > number_of(limits[1]):
        raise SchemaError("a range ends before it begins")
    key.limits = limits


def _choices(element: ElementTree.Element, key: Key) -> None:
    if key.kind == b"e" or key.names.data or key.type.lstrip("am") != "s":
        raise SchemaError("choices are given twice, or to a key that cannot have any")
    for choice in element:
        key.names.add(choice.attrib["value"], 0)
    if not key.names.data:
        raise SchemaError("there are no choices")


def _aliases(element: ElementTree.Element, key: Key) -> None:
    if not key.names.data or key.names.aliases or not len(element):
        raise SchemaError("aliases are given twice, or of nothing")
    for alias in element:
        target = alias.attrib["target"]
        if target not in key.names.words:
            raise SchemaError(f"an alias is of `{target}`, which is not there")
        key.names.add(alias.attrib["value"], key.names.words[target], is_alias=True)


def _override(data: bytes, schemas: Mapping[str, Schema]) -> Iterator[str]:
    """Set the defaults that an override file gives; yield why some are left out."""
    try:
        settings = list(_settings(data.decode()))
    except (SchemaError, UnicodeError) as error:
        yield str(error)
        return
    for group, name, text in settings:
        schema_name, colon, desktop = group.partition(":")
        schema = schemas.get(schema_name)
        if schema is None:  # not installed, which is nothing unusual
            continue
        key = schema.keys.get(name)
        if key is None or (colon and key.translation is not None):
            yield f"there is no key `{name}` in `{group}` to override"
            continue
        try:
            value = key.check(parse_variant(text, key.type))
        except (SchemaError, VariantError) as error:
            yield f"`{name}` in `{group}`: {error}"
            continue
        if colon:
            key.desktops[desktop] = value
        else:
            key.default = value


def _settings(text: str) -> Iterable[tuple[str, str, str]]:
    """Yield group, key and value of each line of a key file (Desktop Entry Specification)."""
    found: dict[tuple[str, str], str] = {}
    groups: dict[str, None] = {}
    group = None
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip(_SPACE)
        if not stripped or stripped.startswith("#"):
            continue
        if stripped.startswith("[") and stripped.endswith("]"):
            group = stripped[1:-1]
            groups[group] = None
            continue
        name, equals, value = stripped.partition("=")
        if group is None or not equals:
            raise SchemaError(f"its line {number} is neither a group nor a key of one")
        found[group, name.rstrip(_SPACE)] = value.lstrip(_SPACE)
    for wanted in groups:
        yield from ((wanted, name, value) for (has, name), value in found.items() if has == wanted)


def _integer(text: str) -> int:
    """Return a number as C's ``strtoll`` reads it whole, in any of its bases."""
    match = _INTEGER.fullmatch(text)
    if match is None:
        raise SchemaError(f"`{text}` is not a number")
    sign, hexadecimal, octal, decimal = match.groups()
    digits, base = (hexadecimal, 16) if hexadecimal else (octal, 8) if octal else (decimal, 10)
    return int(sign + digits, base)
