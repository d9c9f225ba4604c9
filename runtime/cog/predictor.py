"""The base classes of a model, and the marks its `run()` can carry."""

from __future__ import annotations

import importlib.util
import inspect
import pathlib
import sys
import warnings
from collections.abc import Callable
from typing import Any, TypeVar, overload

from cog.scope import Mode, Scope, current_scope

__all__ = ["BasePredictor", "BaseRunner", "concurrent", "load_predictor_from_ref", "streaming"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


class BaseRunner:
    """Base of a model: `setup()` runs once when the server starts, `run()` for each prediction.

    `run()` is the model's own, with annotated parameters and an annotated return type.
    """

    def setup(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - fits any override
        """Prepare the model, for example load its weights."""

    def run(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - fits any override
        """Call the `predict()` of a model that has this instead; raises NotImplementedError."""
        if type(self).predict is BaseRunner.predict:
            raise NotImplementedError("run has not been implemented by parent class.")
        return self.predict(*args, **kwargs)

    def predict(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - fits any override
        """Call `run()`: the older spelling."""
        name = type(self).__name__
        message = f"{name}.predict() is deprecated; use run() instead"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return self.run(*args, **kwargs)

    @property
    def scope(self) -> Scope:
        """The scope of the prediction that is being made."""
        return current_scope()

    def record_metric(self, key: str, value: Any, mode: Mode = "replace") -> None:  # noqa: ANN401
        """Record a metric of the prediction that is being made."""
        current_scope().record_metric(key, value, mode)


class BasePredictor(BaseRunner):
    """Base of a model that has `predict()` instead of `run()`; the older spelling."""


def load_predictor_from_ref(ref: str) -> Any:  # noqa: ANN401 - an object of the model's own class
    """Return an object of the class at `ref`, such as ``predict.py:Predictor``, or the function.

    Without a name it is `Runner`, else `Predictor`. Raises ImportError, AttributeError and what the
    model itself raises.
    """
    file, _, name = ref.partition(":")
    path = pathlib.Path(file)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load a module from {file}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    if not name:
        name = "Runner" if hasattr(module, "Runner") else "Predictor"
    found = getattr(module, name)
    return found() if inspect.isclass(found) else found


@overload
def streaming(function: _Function) -> _Function: ...


@overload
def streaming(function: None = None) -> Callable[[_Function], _Function]: ...


def streaming(
    function: _Function | None = None,
) -> _Function | Callable[[_Function], _Function]:
    """Mark a `run()` that yields its output as one whose output clients may read as it is made."""

    def mark(function: _Function) -> _Function:
        function.__cog_streaming__ = True  # type: ignore[attr-defined]
        return function

    return mark if function is None else mark(function)


@overload
def concurrent(function: _Function) -> _Function: ...


@overload
def concurrent(function: None = None, *, max: int = 1) -> Callable[[_Function], _Function]: ...


def concurrent(
    function: _Function | None = None,
    *,
    max: int = 1,  # noqa: A002 - Cog's word
) -> _Function | Callable[[_Function], _Function]:
    """Mark an `async def run()` that may make up to `max` predictions at once.

    Raises TypeError when `max` is no integer or the function is not asynchronous, ValueError when
    `max` is less than 1.
    """
    if isinstance(max, bool) or not isinstance(max, int):
        raise TypeError(f"@concurrent(max=...) needs an integer from 1 on, not {max!r}")
    if max < 1:
        raise ValueError(f"@concurrent(max=...) needs an integer from 1 on, not {max!r}")

    def mark(function: _Function) -> _Function:
        is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
        if max > 1 and not is_async:
            raise TypeError("@concurrent(max > 1) requires an async run() or predict() method")
        function.__cog_concurrent_max__ = max  # type: ignore[attr-defined]
        return function

    if function is None:
        return mark
    if not callable(function):
        raise TypeError("@concurrent is written as @concurrent or @concurrent(max=4)")
    return mark(function)
