"""From what the model returned to JSON, with its files set apart."""

from __future__ import annotations

import dataclasses
import enum
import os
from collections.abc import Iterable, Mapping
from typing import Any

import cog

__all__ = ["json_output"]


def json_output(value: object) -> tuple[Any, list[dict[str, Any]]]:
    """Return `value` as JSON with null in the place of each file, and where the files are.

    Iterators are read to their end. Raises TypeError for what JSON cannot express, and
    whatever an iterator raises.
    """
    files: list[dict[str, Any]] = []
    return _plain(value, (), files), files


def _plain(value: Any, at: tuple[str | int, ...], files: list[dict[str, Any]]) -> Any:  # noqa: ANN401
    match value:
        case None | bool():
            return value
        case enum.Enum():
            return _plain(value.value, at, files)
        case str():
            return str(value)
        case int():
            return int(value)
        case float():
            return float(value)
        case cog.Secret():
            return str(value)
        case os.PathLike():
            files.append({"at": list(at), "path": os.path.abspath(value)})  # noqa: PTH100 - of any path
            return None
        case Mapping():
            return {_key(key): _plain(each, (*at, _key(key)), files) for key, each in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
        return _plain(named, at, files)
    for method in ("model_dump", "dict", "isoformat", "tolist"):  # pydantic, dates, numpy
        convert = getattr(value, method, None)
        if callable(convert):
            return _plain(convert(), at, files)
    if isinstance(value, Iterable) and not isinstance(value, bytes | bytearray | memoryview):
        return [_plain(each, (*at, index), files) for index, each in enumerate(value)]
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _key(key: object) -> str:
    """Return a key of a mapping as JSON has it, which is text."""
    if isinstance(key, enum.Enum):
        return _key(key.value)
    if isinstance(key, str | int | float):
        return str(key)
    raise TypeError(f"keys must be text or numbers, not {type(key).__name__}")
