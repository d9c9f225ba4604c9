"""From the JSON of a validated request to the Python values the model expects."""

from __future__ import annotations

import contextlib
import pathlib
from typing import Any

import cog
from cogn_runtime.schema import ListOf, Nullable, Scalar, Signature, Type

__all__ = ["python_inputs"]


def python_inputs(
    signature: Signature, given: dict[str, Any], resources: contextlib.ExitStack
) -> dict[str, Any]:
    """Return the arguments of a run; files opened for it are closed with `resources`.

    Files are given as local paths. Raises OSError when one to be opened is not there.
    """
    return {
        field.name: _value(field.type, given[field.name], resources) for field in signature.inputs
    }


def _value(type_: Type, value: Any, resources: contextlib.ExitStack) -> Any:  # noqa: ANN401
    match type_:
        case Nullable(of):
            return None if value is None else _value(of, value, resources)
        case ListOf(item):
            return [_value(item, each, resources) for each in value]
        case Scalar("int"):
            return int(value)  # JSON does not tell 3.0 from 3
        case Scalar("float"):
            return float(value)
        case Scalar("path"):
            return cog.Path(value)
        case Scalar("file"):
            return resources.enter_context(pathlib.Path(value).open("rb"))
        case Scalar("secret"):
            return cog.Secret(value)
    return value
