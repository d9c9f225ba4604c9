"""`Input()`: the default, the constraints and the description of one parameter of `run()`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["FieldInfo", "Input"]


@dataclass(frozen=True)
class FieldInfo:
    """What `Input()` was told; `default` is `...` when the input has to be given."""

    default: Any = ...
    description: str | None = None
    ge: float | None = None
    le: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    regex: str | None = None
    choices: tuple[str | int | float, ...] | None = None
    deprecated: bool = False
    accept: str | None = None


def Input(  # noqa: N802 - reads like a type where it is used
    default: Any = ...,  # noqa: ANN401 - a default may have any type
    *,
    description: str | None = None,
    ge: float | None = None,
    le: float | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    regex: str | None = None,
    choices: Sequence[str | int | float] | None = None,
    deprecated: bool | None = None,
    accept: str | None = None,
) -> Any:  # noqa: ANN401 - stands as the default of a parameter of any type
    """Return the `FieldInfo` that describes a parameter, to be written as its default value.

    `ge` and `le` bound a number, `min_length`, `max_length` and `regex` a string, `choices` lists
    the values allowed, `accept` is a hint for file pickers such as `image/*`.
    There is no `default_factory`: every prediction gets its own copy of `default`.
    """
    return FieldInfo(
        default=default,
        description=description,
        ge=ge,
        le=le,
        min_length=min_length,
        max_length=max_length,
        regex=regex,
        choices=None if choices is None else tuple(choices),
        deprecated=bool(deprecated),
        accept=accept,
    )
