"""Entries of ``system_packages``: what apt-get takes as the name of a package to install."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cogn.report import CognError, Where
from cogn.resolver.errors import ConfigError, UnsupportedError

__all__ = ["WantedPackage", "parse_wanted"]

_ENTRY = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9.+-]+)(?::(?P<architecture>[a-z0-9-]+))?"
    r"(?:(?P<mark>[=/])(?P<value>[A-Za-z0-9.+:~-]+))?"
)


@dataclass(frozen=True, slots=True, order=True)
class WantedPackage:
    """A package that a project asks for."""

    name: str
    version: str | None = None
    """The exact version, where one is asked for."""
    architecture: str | None = None
    """In Debian's terms, where one is named."""

    def __str__(self) -> str:
        """Return it as apt-get takes it."""
        architecture = "" if self.architecture is None else f":{self.architecture}"
        return f"{self.name}{architecture}" + ("" if self.version is None else f"={self.version}")


def parse_wanted(
    entries: Sequence[str], wheres: Sequence[Where]
) -> tuple[tuple[WantedPackage, ...], list[CognError]]:
    """Return the packages of `entries`, sorted and each once, and what is wrong with the others.

    An entry may be several names with blanks between them: Cog hands all of them to a shell.
    """
    wanted: dict[str, WantedPackage] = {}
    problems: list[CognError] = []
    for entry, where in zip(entries, wheres, strict=True):
        for word in entry.split():
            package = _parsed(word, where)
            if isinstance(package, CognError):
                problems.append(package)
            elif wanted.setdefault(package.name, package) != package:
                message = f"`{package.name}` is asked for twice, in different ways"
                problems.append(ConfigError(message, where=where))
    return tuple(sorted(wanted.values(), key=str)), problems


def _parsed(word: str, where: Where) -> WantedPackage | CognError:
    match = _ENTRY.fullmatch(word)
    if word.startswith("-"):
        return UnsupportedError(
            f"`{word}` is an option of apt-get, and no apt-get runs",
            where=where,
            hint="for recommended packages, set `recommends = true` in cogn.toml",
        )
    if match is None:
        return ConfigError(
            f"`{word}` is not the name of a Debian package",
            where=where,
            hint="write `name` or `name=version`",
        )
    if match["mark"] == "/":
        return UnsupportedError(
            f"`{word}`: the suite of a single package cannot be chosen",
            where=where,
            hint=f"write `{match['name']}` for the newest version of the release, its updates and "
            f"its security updates, or `{match['name']}=VERSION`",
        )
    return WantedPackage(match["name"], match["value"], match["architecture"])
