"""What a model needs of Python packages, whatever file said so."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.pylock import Pylock

from cogn.store.origins import Origins
from cogn.store.uv import Builds

__all__ = ["EXCLUDED", "LockedPackages", "Requirements"]

EXCLUDED = ("cog", "coglet", "cogn-runtime")
"""The packages that are never installed from an index, as the image has its own `cog`."""


@dataclass(frozen=True, slots=True)
class LockedPackages:
    """A lock file (PEP 751) that has been read and checked."""

    pylock: Pylock
    directory: Path
    """What paths in it are relative to."""
    content: list[dict[str, Any]]
    """The entries as they were read."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a model needs: requirements and constraints (PEP 508), or packages that are locked."""

    lines: tuple[str, ...] = ()
    """As they were written; paths are relative to the project."""
    constraints: tuple[str, ...] = ()
    hashes: dict[str, tuple[str, ...]] | None = None
    """The SHA-256 hashes allowed for each package, by name, or None when any will do."""
    files: tuple[str, ...] = ()
    """Where all this was read from, relative to the project; local packages are among them."""
    origins: Origins = field(default_factory=Origins)
    builds: Builds = field(default_factory=Builds)
    local: dict[str, str] = field(default_factory=dict)
    """The SHA-256 of each local package that is referred to, by its path below the project."""
    locked: LockedPackages | None = None
    """Versions and hashes that are settled already; there are no requirements then."""

    @property
    def stated(self) -> tuple[str, ...]:
        """The requirements, or what is locked as requirements of exact versions."""
        if self.locked is None:
            return self.lines
        return tuple(
            f"{each.name}=={each.version}" + (f" ; {each.marker}" if each.marker else "")
            for each in self.locked.pylock.packages
            if each.version is not None
        )

    @property
    def names_places(self) -> bool:
        """Whether they say themselves where packages come from."""
        return bool(self.origins.options) or self.locked is not None

    @property
    def inputs(self) -> dict[str, Any]:
        """What decides the content of a lock, as plain data; what is empty is mostly left out."""
        inputs: dict[str, Any] = {
            "requirements": self.lines,
            "constraints": self.constraints,
            "hashes": self.hashes,
        }
        more: dict[str, Any] = {
            "index_options": self.origins.options,
            "prerelease": self.origins.prerelease,
            "no_binary": sorted(self.builds.forced),
            "only_binary": sorted(self.builds.never) if self.builds.allowed else (),
            "build_sdists": self.builds.allowed,
            "local": self.local,
            "locked": self.locked and self.locked.content,
        }
        return inputs | {key: value for key, value in more.items() if value}
