"""Errors about the code of a predictor.

::

    ResolveError
    └── PredictorError           a module, a class or a function that cannot be served
        └── UnknownValueError    a value that only running the code would tell
"""

from __future__ import annotations

from typing import Self

from cogn.report import Where
from cogn.resolver.errors import ResolveError

__all__ = ["PredictorError", "UnknownValueError"]

_WAYS_ON = (
    "write it out as a literal, or give the OpenAPI document as a file, with "
    "`cogn assemble --openapi-schema`"
)


class PredictorError(ResolveError):
    """Raised when the code of a predictor breaks a rule, or cannot be found or parsed."""


class UnknownValueError(PredictorError):
    """Raised when a value cannot be known without running code, which cogn does not do."""

    @classmethod
    def because(cls, shown: str, reason: str, where: Where) -> Self:
        """Return the error that says why the value of `shown` is not known."""
        message = f"`{shown}` cannot be known without running the code: {reason}"
        return cls(message, where=where, hint=_WAYS_ON)

    def of(self, owner: str) -> Self:
        """Return this error as that of what needs the value."""
        return type(self)(f"{owner}: {self.message}", where=self.where, hint=self.hint)
