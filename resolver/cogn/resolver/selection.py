"""Which packages of a lock are to move, of all that could stay: `cogn lock --upgrade=NAME`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cogn.lockfiles import Lock, Wheel
from cogn.report import ProblemsError
from cogn.resolver.errors import RequirementsError
from cogn.resolver.validation import did_you_mean

__all__ = ["Selection"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Python packages that are to be taken in their newest versions, while others stay."""

    names: frozenset[str]
    """Normalised."""
    exclude_newer: str | None
    """The moment, as RFC 3339 writes it, after which packages do not count."""

    def check(self, previous: Lock) -> None:
        """Raise `RequirementsError`, or `ProblemsError`, for names that the lock does not have."""
        known = {
            wheel.name
            for environment in previous.environments.values()
            for wheel in environment.fetched_wheels
        }
        problems = [
            RequirementsError(
                f"`{name}` is not among the Python packages of the lock",
                hint=did_you_mean(name, sorted(known)),
            )
            for name in sorted(self.names - known)
        ]
        ProblemsError.raise_if_any(problems)

    def moves(self, wheels: Iterable[Wheel]) -> bool:
        """Tell whether wheels that answer today's inputs have to be looked up all the same."""
        return self.exclude_newer is not None or any(wheel.name in self.names for wheel in wheels)

    def kept(self, wheels: Iterable[Wheel]) -> tuple[Wheel, ...]:
        """Return the wheels whose versions are to stay."""
        return tuple(wheel for wheel in wheels if wheel.name not in self.names)
