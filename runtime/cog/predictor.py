"""The base classes of a model, and the marks its `run()` can carry."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from cog.scope import Mode, Scope, current_scope

__all__ = ["BasePredictor", "BaseRunner", "concurrent", "streaming"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


class BaseRunner:
    """Base of a model: `setup()` runs once when the server starts, `run()` for each prediction.

    `run()` is the model's own, with annotated parameters and an annotated return type.
    """

    def setup(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - fits any override
        """Prepare the model, for example load its weights."""

    @property
    def scope(self) -> Scope:
        """The scope of the prediction that is being made."""
        return current_scope()

    def record_metric(self, key: str, value: Any, mode: Mode = "replace") -> None:  # noqa: ANN401
        """Record a metric of the prediction that is being made."""
        current_scope().record_metric(key, value, mode)


class BasePredictor(BaseRunner):
    """Base of a model that has `predict()` instead of `run()`; the older spelling."""


def streaming(function: _Function) -> _Function:
    """Mark a `run()` that yields its output as one whose output clients may read as it is made."""
    function.__cog_streaming__ = True  # type: ignore[attr-defined]
    return function


def concurrent(*, max: int) -> Callable[[_Function], _Function]:  # noqa: A002 - Cog's word
    """Mark an `async def run()` that may make up to `max` predictions at once.

    Raises TypeError when `max` is no number from 1 on, or the function is not asynchronous.
    """
    if isinstance(max, bool) or not isinstance(max, int) or max < 1:
        raise TypeError(f"@concurrent(max=...) needs an integer from 1 on, not {max!r}")

    def mark(function: _Function) -> _Function:
        is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
        if max > 1 and not is_async:
            raise TypeError("@concurrent(max > 1) requires an async run() or predict() method")
        function.__cog_concurrent_max__ = max  # type: ignore[attr-defined]
        return function

    return mark
