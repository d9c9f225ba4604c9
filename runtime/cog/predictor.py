"""The base classes of a model, and the mark its `run()` can carry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["BasePredictor", "BaseRunner", "streaming"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


class BaseRunner:
    """Base of a model: `setup()` runs once when the server starts, `run()` for each prediction.

    `run()` is the model's own, with annotated parameters and an annotated return type.
    """

    def setup(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - fits any override
        """Prepare the model, for example load its weights."""


class BasePredictor(BaseRunner):
    """Base of a model that has `predict()` instead of `run()`; the older spelling."""


def streaming(function: _Function) -> _Function:
    """Mark a `run()` that yields its output as one whose output clients may read as it is made."""
    function.__cog_streaming__ = True  # type: ignore[attr-defined]
    return function
