"""The prediction that is being made: what its client sent beside the input, and its metrics."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Literal

__all__ = ["MetricRecorder", "Mode", "Scope", "current_scope", "entered"]

Mode = Literal["replace", "increment", "incr", "append"]

_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9_]*[A-Za-z0-9])?(?:\.[A-Za-z0-9_]*[A-Za-z0-9]){0,3}")
_LONGEST_NAME = 128
_MODES = {"replace": "replace", "increment": "increment", "incr": "increment", "append": "append"}

_Send = Callable[[str, object, str], None]


class MetricRecorder:
    """The metrics of one prediction; a dotted name is a place in nested objects."""

    def __init__(self, send: _Send) -> None:
        self._send = send

    def record(self, key: str, value: Any, mode: Mode = "replace") -> None:  # noqa: ANN401 - any JSON
        """Set a metric, add a number to it (`increment`) or an item to its list (`append`).

        None removes it. Raises ValueError for a name or a mode that is none, TypeError for a value
        that JSON does not have or, to be added, is no number.
        """
        if value is None and mode == "replace":
            self.delete(key)
            return
        _check_name(key)
        if mode not in _MODES:
            raise ValueError(f"{mode!r} is no mode; it can be replace, increment or append")
        if _MODES[mode] == "increment" and (
            isinstance(value, bool) or not isinstance(value, (int, float))
        ):
            raise TypeError(f"only a number can be added to a metric, not {value!r}")
        self._send(key, value, _MODES[mode])

    def delete(self, key: str) -> None:
        """Remove a metric, if it is there."""
        _check_name(key)
        self._send(key, None, "delete")

    def __setitem__(self, key: str, value: Any) -> None:  # noqa: ANN401 - any JSON
        self.record(key, value)

    def __delitem__(self, key: str) -> None:
        self.delete(key)


class Scope:
    """What belongs to one prediction, apart from its input and output."""

    def __init__(self, context: Mapping[str, str], send: _Send) -> None:
        self.context: Mapping[str, str] = MappingProxyType(dict(context))
        """What the request had in `context`."""
        self.metrics = MetricRecorder(send)

    def record_metric(self, key: str, value: Any, mode: Mode = "replace") -> None:  # noqa: ANN401
        """Record a metric, as `metrics.record` does."""
        self.metrics.record(key, value, mode)


def current_scope() -> Scope:
    """Return the scope of the prediction that is being made.

    Outside of one, it is a scope whose metrics go nowhere. A thread that the model started sees the
    prediction as long as only one is made at a time.
    """
    return _current.get() or _only or _NOBODY


@contextlib.contextmanager
def entered(scope: Scope, *, alone: bool) -> Iterator[None]:
    """Within the block, `scope` is the current one: of all threads if it is `alone`."""
    global _only
    token = _current.set(scope)
    if alone:
        _only = scope
    try:
        yield
    finally:
        _current.reset(token)
        if alone:
            _only = None


def _check_name(name: object) -> None:
    if not isinstance(name, str) or len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} is no name of a metric: letters, digits and `_`, beginning with a letter, "
            "in up to four parts with dots between them"
        )
    if "__" in name:
        raise ValueError(f"{name!r} is no name of a metric: it has `__` in it")
    if name == "predict_time" or name.partition(".")[0] == "cog":
        raise ValueError(f"{name!r} is a metric of the server's own")


def _nowhere(_name: str, _value: object, _mode: str) -> None:
    """Take a metric that belongs to no prediction."""


_current: ContextVar[Scope | None] = ContextVar("cog_scope", default=None)
_only: Scope | None = None
_NOBODY = Scope({}, _nowhere)
