"""The root of every error that cogn raises on purpose.

::

    CognError
    ├── ProblemsError          several problems of one input, reported together
    ├── cogn.lockfiles.LockError
    ├── cogn.resolver.ResolveError
    ├── cogn.layers.LayerError
    └── cogn.store.StoreError

Each part keeps the classes below its own branch in its own ``errors`` module.
An exception that is not a ``CognError`` is a bug of cogn and shows a traceback.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["CognError", "ProblemsError", "Where"]


@dataclass(frozen=True, slots=True)
class Where:
    """The place in the user's own files that a problem comes from.

    ``line`` counts from 1; ``key`` is a dotted path such as ``build.gpu`` or ``wheels[3].sha256``.
    """

    file: str
    key: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        """Return ``file:line, key`` with the parts that are known."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return place if self.key is None else f"{place}, `{self.key}`"


class CognError(Exception):
    """Raised when an input, a place or the machine keeps cogn from doing what was asked."""

    def __init__(
        self, message: str, *, where: Where | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        """Return the place, if known, and the message; the hint is printed apart."""
        return self.message if self.where is None else f"{self.where}: {self.message}"

    @property
    def problems(self) -> tuple[CognError, ...]:
        """The single problems behind this error: itself, unless it is a collection."""
        return (self,)


class ProblemsError(CognError):
    """Raised when one input has several problems, so that all are mended in one go."""

    def __init__(self, problems: Sequence[CognError]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self._problems = tuple(problems)

    @property
    def problems(self) -> tuple[CognError, ...]:
        """The problems, in the order in which they were found."""
        return self._problems

    @classmethod
    def raise_if_any(cls, problems: Sequence[CognError]) -> None:
        """Raise the only problem as it is, or all of them together; nothing when there is none."""
        if len(problems) == 1:
            raise problems[0]
        if problems:
            raise cls(problems)
