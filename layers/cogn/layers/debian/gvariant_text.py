"""The text format of GVariant values ("GVariant Text Format"), in which people write them."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from cogn.layers.debian.gvariant import (
    ANY,
    FORMATS,
    INTEGER,
    STRING,
    STRINGS,
    Variant,
    VariantError,
    array,
    entry,
    fixed_size,
    is_type,
    split_types,
    tuple_,
    variant,
)

__all__ = ["parse_variant"]

_TYPE_NAMES = dict(
    zip(
        (
            "boolean",
            "byte",
            "int16",
            "uint16",
            "int32",
            "uint32",
            "handle",
            "int64",
            "uint64",
            "double",
            "string",
            "objectpath",
            "signature",
        ),
        (*FORMATS, *STRINGS),
        strict=True,
    )
)
_DEEPEST = 32
_WORD = re.compile(
    r"""[ \t\n\r\v\f]*(b?'(?:[^'\\]|\\.)*'|b?"(?:[^"\\]|\\.)*"|@[^ \t\n\r\v\f,:>\]]*"""
    r"""|[A-Za-z0-9+.-]+|[\[\](){}<>,:]|$)""",
    re.DOTALL,
)
_NUMBER = re.compile(r"([+-]?)(?:0[xX]([0-9a-fA-F]{1,16})|0([0-7]{1,22})|(0|[1-9][0-9]{0,19}))")
_DOUBLE = re.compile(r"[+-]?(?:inf|nan|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_ESCAPE_OF_BYTES = re.compile(rb"\\(?:([0-7]{1,3})|(.))", re.DOTALL)
_ESCAPED: Mapping[str, str] = dict(zip("abfnrtv\n", [*"\a\b\f\n\r\t\v", ""], strict=True))
_OBJECT_PATH = re.compile(r"/|(?:/[A-Za-z0-9_]+)+")


def parse_variant(text: str, type_: str) -> Variant:
    """Return the value of the type that the text writes; raises `VariantError`."""
    if not is_type(type_):
        raise VariantError(f"`{type_}` is not a type")
    return _built(_Parser(text).whole(), type_)


@dataclass(frozen=True, slots=True)
class _Node:
    """A piece of text before its type is known."""

    kind: str
    """``number``, ``string``, ``bytes``, ``bool``, ``array``, ``tuple``, ``dict``, ``entry``,
    ``variant``, ``just``, ``nothing``, or ``typed``."""
    text: str = ""
    children: tuple[_Node, ...] = ()


class _Parser:
    """The grammar of the text format."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._word = ""
        self._next()

    def whole(self) -> _Node:
        node = self._value()
        if self._word:
            raise VariantError(f"`{self._word}` stands after the value")
        return node

    def _next(self) -> str:
        word = self._word
        match = _WORD.match(self._text, self._at)
        if match is None:
            raise VariantError(f"`{self._text[self._at :][:20]}` is no part of a value")
        self._at = match.end()
        self._word = match[1]
        return word

    def _expect(self, word: str) -> None:
        if self._word != word:
            raise VariantError(f"`{word}` is expected, not `{self._word}`")
        self._next()

    def _value(self) -> _Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise VariantError("the value is nested too deep")
        node = self._any_value(self._next())
        self._depth -= 1
        return node

    def _any_value(self, word: str) -> _Node:
        match word[:1]:
            case "[":
                return _Node("array", children=self._list("]"))
            case "(":
                return self._tuple()
            case "{":
                return self._dictionary()
            case "<":
                inner = self._value()
                self._expect(">")
                return _Node("variant", children=(inner,))
            case "@":
                if not is_type(word[1:]):
                    raise VariantError(f"`{word[1:]}` is not a type")
                return _Node("typed", word[1:], (self._value(),))
            case "'" | '"':
                return _Node("string", _unescaped(word[1:-1]))
        if word[:2] in {"b'", 'b"'}:
            return _Node("bytes", _unescaped_bytes(word[2:-1]).decode("latin-1"))
        if word in _TYPE_NAMES:
            return _Node("typed", _TYPE_NAMES[word], (self._value(),))
        if word in {"true", "false"}:
            return _Node("bool", word)
        if word == "just":
            return _Node("just", children=(self._value(),))
        if word == "nothing":
            return _Node("nothing")
        if not (_NUMBER.fullmatch(word) or _DOUBLE.fullmatch(word)):
            raise VariantError(f"`{word}` is not a value")
        return _Node("number", word)

    def _list(self, end: str) -> tuple[_Node, ...]:
        nodes = []
        while self._word != end:
            nodes.append(self._value())
            if self._word != end:
                self._expect(",")
                if self._word == end:
                    raise VariantError("a value is expected after the last comma")
        self._next()
        return tuple(nodes)

    def _tuple(self) -> _Node:
        if self._word == ")":
            self._next()
            return _Node("tuple")
        first = self._value()
        self._expect(",")
        return _Node("tuple", children=(first, *self._list(")")))

    def _dictionary(self) -> _Node:
        nodes: list[_Node] = []
        while self._word != "}":
            if nodes:
                self._expect(",")
            key = self._value()
            if self._word == "," and not nodes:
                self._next()
                value = self._value()
                self._expect("}")
                return _Node("entry", children=(key, value))
            self._expect(":")
            nodes.append(_Node("entry", children=(key, self._value())))
        self._next()
        return _Node("dict", children=tuple(nodes))


def _unescaped(text: str) -> str:
    def replace(match: re.Match[str]) -> str:
        digits = match[1] or match[2]
        if not digits:
            return str(_ESCAPED.get(match[3], match[3]))
        number = int(digits, 16)
        if not 0 < number < 0x110000 or 0xD800 <= number < 0xE000:
            raise VariantError(f"`{match[0]}` is not a character")
        return chr(number)

    return _ESCAPE.sub(replace, text)


def _unescaped_bytes(text: str) -> bytes:
    def replace(match: re.Match[bytes]) -> bytes:
        if match[1]:
            return bytes([int(match[1], 8) & 0xFF])
        other = bytes(match[2]).decode("latin-1")
        return _ESCAPED.get(other, other).encode("latin-1")

    return _ESCAPE_OF_BYTES.sub(replace, text.encode())


def _inferred(node: _Node) -> str:
    """Return the type of a node by itself; parts of it may be of types not known yet."""
    children = node.children
    match node.kind:
        case "number":
            return INTEGER if _NUMBER.fullmatch(node.text) else "d"
        case "string":
            return STRING
        case "bytes":
            return "ay"
        case "bool":
            return "b"
        case "typed":
            return node.text
        case "variant":
            return "v"
        case "nothing":
            return f"m{ANY}"
        case "just":
            return f"m{_inferred(children[0])}"
        case "tuple":
            return f"({''.join(map(_inferred, children))})"
        case "entry":
            return f"{{{''.join(map(_inferred, children))}}}"
        case _:
            element = ANY if node.kind == "array" else f"{{{ANY}{ANY}}}"
            for child in children:
                element = _unified(element, _inferred(child))
            return f"a{element}"


def _unified(one: str, other: str) -> str:
    """Return the type that two types have in common; raises `VariantError`."""
    if one == other or other == ANY:
        return one
    if one == ANY:
        return other
    for this, that in ((one, other), (other, one)):
        if this == INTEGER and that in "ynqiuxthd":
            return that
        if this == STRING and that in STRINGS:
            return that
        if this[0] == "m" and that[0] != "m":
            return f"m{_unified(this[1:], that)}"
    if one[0] == other[0] and one[0] in "am":
        return one[0] + _unified(one[1:], other[1:])
    if one[0] == other[0] and one[0] in "({":
        pairs = list(zip(split_types(one[1:-1]), split_types(other[1:-1]), strict=False))
        unified = one[0] + "".join(_unified(*pair) for pair in pairs) + one[-1]
        if len(list(split_types(one[1:-1]))) == len(list(split_types(other[1:-1]))) == len(pairs):
            return unified
    raise VariantError(f"values of the types `{one}` and `{other}` stand in one array")


def _definite(type_: str) -> str:
    if ANY in type_:
        raise VariantError("the type of a value cannot be told from its text")
    return type_.replace(INTEGER, "i").replace(STRING, "s")


def _built(node: _Node, type_: str) -> Variant:
    """Return the value of a node as one of the type; raises `VariantError`."""
    children = node.children
    if node.kind == "typed":  # the type that is wanted decides, as it does in GLib
        return _built(children[0], type_)
    match type_[0], node.kind:
        case "m", "nothing":
            return Variant(type_, b"")
        case "m", _:
            child = _built(children[0] if node.kind == "just" else node, type_[1:])
            return Variant(type_, child.data + (b"" if fixed_size(child.type) else b"\0"))
        case "v", "variant":
            return variant(_built(children[0], _definite(_inferred(children[0]))))
        case "a", "bytes" if type_ == "ay":
            return Variant(type_, node.text.encode("latin-1") + b"\0")
        case "a", "array" | "dict" if (node.kind == "dict") <= (type_[1] == "{"):
            return array(type_[1:], [_built(child, type_[1:]) for child in children])
        case "(", "tuple":
            types = list(split_types(type_[1:-1]))
            if len(types) == len(children):
                return tuple_(*map(_built, children, types))
        case "{", "entry":
            key, value = map(_built, children, split_types(type_[1:-1]))
            return entry(key, value)
        case "b", "bool":
            return Variant("b", bytes([node.text == "true"]))
        case kind, "number" if kind in FORMATS and kind != "b":
            return Variant(kind, _number(node.text, kind))
        case ("s" | "o" | "g") as kind, "string":
            return _string(node.text, kind)
    raise VariantError(f"a {node.kind} is not a value of type `{type_}`")


def _number(text: str, type_: str) -> bytes:
    match = _NUMBER.fullmatch(text)
    try:
        if type_ == "d" and _DOUBLE.fullmatch(text):
            return struct.pack("<d", float(text))
        if match is not None and type_ != "d":
            sign, hexadecimal, octal, decimal = match.groups()
            digits, base = next(
                (digits, base)
                for digits, base in ((hexadecimal, 16), (octal, 8), (decimal, 10))
                if digits is not None
            )
            return struct.pack(FORMATS[type_], int(sign + digits, base))
    except struct.error as error:
        raise VariantError(f"`{text}` is out of the range of type `{type_}`") from error
    raise VariantError(f"`{text}` is not a number of type `{type_}`")


def _string(text: str, type_: str) -> Variant:
    if type_ == "o" and not _OBJECT_PATH.fullmatch(text):
        raise VariantError(f"`{text}` is not an object path")
    if type_ == "g":
        list(split_types(text))
    return Variant(type_, text.encode() + b"\0")
