"""The types inputs and outputs can have, as plain data with a stable JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

__all__ = [
    "AnyObject",
    "ListOf",
    "MapOf",
    "Nullable",
    "OneOf",
    "Record",
    "RecordField",
    "Scalar",
    "ScalarName",
    "Type",
    "type_from_json",
    "type_to_json",
]

ScalarName = Literal["str", "int", "float", "bool", "path", "file", "secret"]


@dataclass(frozen=True)
class Scalar:
    """One value: a JSON string, number or boolean, or a string that stands for something."""

    name: ScalarName


@dataclass(frozen=True)
class AnyObject:
    """A JSON object of any content: `dict`, `Any`, a TypedDict as input."""


@dataclass(frozen=True)
class ListOf:
    """A JSON array whose items have one type."""

    item: Type


@dataclass(frozen=True)
class MapOf:
    """A JSON object whose values have one type; for outputs."""

    value: Type


@dataclass(frozen=True)
class OneOf:
    """A value of any of these types; for inputs."""

    variants: tuple[Type, ...]


@dataclass(frozen=True)
class RecordField:
    """A named value in a `Record`."""

    name: str
    type: Type
    required: bool


@dataclass(frozen=True)
class Record:
    """A JSON object with known names: a `BaseModel` or a TypedDict as output."""

    fields: tuple[RecordField, ...]


@dataclass(frozen=True)
class Nullable:
    """A value of this type or null."""

    of: Type


Type = Scalar | AnyObject | ListOf | MapOf | OneOf | Record | Nullable


def type_to_json(type_: Type) -> dict[str, Any]:
    """Return the JSON form of `type_`, an object with `kind`."""
    match type_:
        case Scalar(name):
            return {"kind": name}
        case AnyObject():
            return {"kind": "object"}
        case ListOf(item):
            return {"kind": "list", "item": type_to_json(item)}
        case MapOf(value):
            return {"kind": "map", "value": type_to_json(value)}
        case OneOf(variants):
            return {"kind": "union", "variants": [type_to_json(each) for each in variants]}
        case Nullable(of):
            return {"kind": "nullable", "of": type_to_json(of)}
        case Record(fields):
            return {
                "kind": "record",
                "fields": [
                    {"name": each.name, "type": type_to_json(each.type), "required": each.required}
                    for each in fields
                ],
            }


def type_from_json(data: Mapping[str, Any]) -> Type:
    """Return the type whose JSON form is `data`; raises ValueError or KeyError for other data."""
    kind = data["kind"]
    if kind in get_args(ScalarName):
        return Scalar(cast("ScalarName", kind))
    match kind:
        case "object":
            return AnyObject()
        case "list":
            return ListOf(type_from_json(data["item"]))
        case "map":
            return MapOf(type_from_json(data["value"]))
        case "union":
            return OneOf(tuple(type_from_json(each) for each in data["variants"]))
        case "nullable":
            return Nullable(type_from_json(data["of"]))
        case "record":
            return Record(
                tuple(
                    RecordField(each["name"], type_from_json(each["type"]), each["required"])
                    for each in data["fields"]
                )
            )
    raise ValueError(f"unknown kind of type: {kind!r}")
