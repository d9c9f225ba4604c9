"""Releases of distributions: the suites that make one up, and the Python it has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from cogn.store.debian import Suite

__all__ = ["OWN_BASES", "PythonSource", "Release"]

PythonSource = Literal["distribution", "standalone"]
"""Where a Python comes from, in the words of the lock."""

OWN_BASES = {"trixie": "3.13", "bookworm": "3.11"}
"""The Debian releases that cogn makes bases of, the default first, with their Pythons."""

_COMPONENTS = {"debian": ("main",), "ubuntu": ("main", "universe")}
_UBUNTU_PORTS = frozenset(("arm64",))
"""The architectures that Ubuntu keeps in an archive of their own."""

_CODENAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


@dataclass(frozen=True, slots=True)
class Release:
    """A release: ``debian`` or ``ubuntu`` and the code name, as os-release(5) has them."""

    distribution: str
    codename: str

    def __str__(self) -> str:
        """Return the words that messages use for it."""
        return f"{self.distribution.capitalize()} {self.codename}"

    @property
    def is_known(self) -> bool:
        """Whether cogn knows the distribution, and the code name is one."""
        return self.distribution in _COMPONENTS and bool(_CODENAME.fullmatch(self.codename))

    def suites(self, architecture: str) -> tuple[Suite, ...]:
        """Return the suites to look for packages in: the release's own, updates, security."""
        name, components = self.codename, _COMPONENTS[self.distribution]
        if self.distribution == "debian":
            return (
                Suite("debian", name, components),
                Suite("debian", f"{name}-updates", components),
                Suite("debian-security", f"{name}-security", components),
            )
        archive = "ubuntu-ports" if architecture in _UBUNTU_PORTS else "ubuntu"
        return tuple(
            Suite(archive, f"{name}{pocket}", components)
            for pocket in ("", "-updates", "-security")
        )
