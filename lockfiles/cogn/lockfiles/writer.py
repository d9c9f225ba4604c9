"""Plain values as TOML 1.0, laid out for git: of an array of tables each entry is one line.

The same values give the same text, with any version of any library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

__all__ = ["Table", "Value", "written"]

Value: TypeAlias = "str | int | bool | Sequence[Value] | Mapping[str, Value]"
Table: TypeAlias = Mapping[str, Value]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def written(document: Table, comment: str) -> str:
    """Return the text of a document, with a comment of one line above it.

    Tables have to come after the other values of theirs.
    """
    return "\n".join([f"# {comment}", *_lines(document, ""), ""])


def _lines(table: Table, path: str) -> Iterator[str]:
    """Yield the lines of the table that has that path, and of those below it."""
    for name, value in table.items():
        key = _key(name)
        match value:
            case Mapping():
                below = f"{path}.{key}" if path else key
                # A table that only has others needs no line of its own.
                if not value or not all(isinstance(each, Mapping) for each in value.values()):
                    yield ""
                    yield f"[{below}]"
                yield from _lines(value, below)
            case [Mapping(), *_]:
                yield f"{key} = ["
                yield from (f"    {_inline(entry)}," for entry in value)
                yield "]"
            case _:
                yield f"{key} = {_inline(value)}"


def _inline(value: Value) -> str:
    match value:
        case str():
            # The escapes of JSON are among those of TOML, which does not allow this one as it is.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Mapping():
            pairs = (f"{_key(key)} = {_inline(each)}" for key, each in value.items())
            return f"{{{', '.join(pairs)}}}"
        case _:
            return f"[{', '.join(map(_inline, value))}]"


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _inline(name)
