"""JSON from a registry, which may be anything: what is not as it should be counts as nothing."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["json_object", "objects"]


def json_object(data: bytes) -> dict[str, Any]:
    """Return the JSON object that `data` is, empty when it is none."""
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def objects(value: object) -> list[dict[str, Any]]:
    """Return the objects in a JSON array, none when it is no array."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
