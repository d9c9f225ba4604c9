"""`BaseModel`: an output with named fields, which is a dataclass."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["BaseModel"]

if sys.version_info >= (3, 11):  # noqa: UP036 - images may have Python 3.10
    from typing import dataclass_transform
else:  # it tells type checkers about BaseModel and does nothing
    _Class = TypeVar("_Class", bound=type)

    def dataclass_transform() -> Callable[[_Class], _Class]:
        return lambda cls: cls


@dataclass_transform()
class BaseModel:
    """Base of output classes: every subclass becomes a dataclass of its annotated fields.

    `class Output(BaseModel, auto_dataclass=False)` leaves the class as it is written,
    `init=False` keeps its own `__init__`.
    """

    def __init_subclass__(
        cls, *, auto_dataclass: bool = True, init: bool = True, **kwargs: object
    ) -> None:
        super().__init_subclass__(**kwargs)
        if auto_dataclass:
            dataclass(init=init)(cls)
