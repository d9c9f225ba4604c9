"""Whether a JSON value fits an input: the rules of the OpenAPI document, in Cog's words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from cogn_runtime.schema.signature import InputField
from cogn_runtime.schema.types import ListOf, Nullable, OneOf, Scalar, ScalarName, Type

__all__ = ["Problem", "problems"]

_JSON_TYPES: dict[ScalarName, str] = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "path": "string",
    "file": "string",
    "secret": "string",
}


class Problem(NamedTuple):
    """What is wrong with a value; `place` is the input's name, then `/0` and so on inside it."""

    place: str
    message: str


def problems(field: InputField, value: object) -> list[Problem]:
    """Return what keeps `value` from being one for `field`."""
    if value is None and isinstance(field.type, Nullable):
        return []
    mismatches = list(_mismatches(field.type, value, field.name))
    # What has the wrong type cannot be compared with the limits.
    return mismatches or [Problem(field.name, each) for each in _limit_messages(field, value)]


def _mismatches(type_: Type, value: object, place: str) -> Iterator[Problem]:
    match type_:
        case Nullable(of):
            if value is not None:
                yield from _mismatches(of, value, place)
        case Scalar(name):
            if not _is_scalar(name, value):
                yield Problem(place, _not_of_type(value, _JSON_TYPES[name]))
        case ListOf(item):
            if not isinstance(value, list):
                yield Problem(place, _not_of_type(value, "array"))
                return
            for index, each in enumerate(value):
                yield from _mismatches(item, each, f"{place}/{index}")
        case OneOf(variants):
            if all(any(_mismatches(each, value, place)) for each in variants):
                words = "is not valid under any of the schemas listed in the 'anyOf' keyword"
                yield Problem(place, f"{_shown(value)} {words}")
        case _:
            if not isinstance(value, dict):
                yield Problem(place, _not_of_type(value, "object"))


def _is_scalar(name: ScalarName, value: object) -> bool:
    if isinstance(value, bool):
        return name == "bool"
    match name:
        case "int":
            return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        case "float":
            return isinstance(value, int | float)
        case "bool":
            return False
    return isinstance(value, str)


def _limit_messages(field: InputField, value: Any) -> Iterator[str]:  # noqa: ANN401 - of the field's type
    if field.choices is not None and value not in field.choices:
        yield f"{_shown(value)} is not one of {_shown(list(field.choices))}"
    if field.ge is not None and value < field.ge:
        yield f"{_shown(value)} is less than the minimum of {_shown(field.ge)}"
    if field.le is not None and value > field.le:
        yield f"{_shown(value)} is greater than the maximum of {_shown(field.le)}"
    if field.min_length is not None and len(value) < field.min_length:
        yield f"{_shown(value)} is shorter than {_characters(field.min_length)}"
    if field.max_length is not None and len(value) > field.max_length:
        yield f"{_shown(value)} is longer than {_characters(field.max_length)}"
    if field.regex is not None and re.search(field.regex, value) is None:
        yield f'{_shown(value)} does not match "{field.regex}"'


def _not_of_type(value: object, name: str) -> str:
    return f'{_shown(value)} is not of type "{name}"'


def _characters(count: int) -> str:
    return f"{count} character{'' if count == 1 else 's'}"


def _shown(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
