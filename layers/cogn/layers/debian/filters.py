"""Which files of packages a system leaves out: dpkg's path filters (dpkg(1), path-exclude)."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from cogn.layers.entry import Kind

__all__ = ["OWN_FILTERS", "PathFilters", "dpkg_filters"]

_CONFIGURATION = "etc/dpkg/dpkg.cfg"
_OPTION = re.compile(r"path-(exclude|include)[=\s]=?\s*(.*)")
_FILE_NAME = re.compile(r"[A-Za-z0-9_-]+")
_SPECIAL = re.compile(r"\\(.)|\[([!^]?)(\]?(?:\[:[a-z]+:\]|[^\]\\])*)\]", re.DOTALL)
_CLASSES = {
    "alnum": "A-Za-z0-9",
    "alpha": "A-Za-z",
    "digit": "0-9",
    "lower": "a-z",
    "upper": "A-Z",
}


@dataclass(frozen=True)
class PathFilters:
    """Patterns of paths, of which the last one that matches decides."""

    rules: tuple[tuple[str, bool], ...] = ()
    """Shell patterns, in which ``*`` matches ``/`` too, and whether they take paths in."""
    is_of_dpkg: bool = False
    """Whether a dpkg has left files out so far: it keeps directories that something taken in may
    be in, links to them, and all paths in its lists."""

    def leaves_out(self, path: str, kind: Kind) -> bool:
        """Tell whether a packaged path, as it is in the package, does not come into the image."""
        name = f"/{path}"
        matching = (taken for glob, taken in reversed(self._globs) if glob.fullmatch(name))
        taken = next(matching, True)
        if taken or not self.is_of_dpkg or kind not in {Kind.DIRECTORY, Kind.SYMLINK}:
            return not taken
        return not name.startswith(self._beginnings)

    @cached_property
    def _globs(self) -> list[tuple[re.Pattern[str], bool]]:
        return [(_glob(pattern), taken) for pattern, taken in self.rules]

    @cached_property
    def _beginnings(self) -> tuple[str, ...]:
        """What the patterns that take paths in begin with, up to their first wildcard."""
        return tuple(
            re.split(r"[*?\[\\]", pattern, maxsplit=1)[0].rstrip("/")
            for pattern, taken in self.rules
            if taken
        )


OWN_FILTERS = PathFilters(
    (
        ("/usr/share/doc/*/*", False),
        ("/usr/share/groff/*", False),
        ("/usr/share/info/*", False),
        ("/usr/share/linda/*", False),
        ("/usr/share/lintian/*", False),
        ("/usr/share/locale/*", False),
        ("/usr/share/man/*", False),
        ("/usr/share/doc/*/copyright", True),
    )
)
"""What cogn's own bases are without, as Debian's slim images are."""


def dpkg_filters(contents: Mapping[str, bytes]) -> PathFilters:
    """Return the filters that the dpkg of a system has, whose configuration files are given."""
    directory = f"{_CONFIGURATION}.d/"
    files = [
        path
        for path in sorted(contents)
        if path.startswith(directory) and _FILE_NAME.fullmatch(path.removeprefix(directory))
    ]
    rules = [rule for path in (*files, _CONFIGURATION) for rule in _rules(contents.get(path, b""))]
    return PathFilters(tuple(rules), is_of_dpkg=True)


def _rules(configuration: bytes) -> Iterator[tuple[str, bool]]:
    for line in configuration.decode("utf-8", "surrogateescape").splitlines():
        if option := _OPTION.fullmatch(line.strip()):
            pattern = option[2]
            if len(pattern) > 1 and pattern[0] == pattern[-1] == '"':
                pattern = pattern[1:-1]
            yield pattern, option[1] == "include"


def _glob(pattern: str) -> re.Pattern[str]:
    """Return what fnmatch(3), without flags and in the C locale, takes a pattern for.

    Python's own patterns have neither escapes nor classes of characters.
    """
    return re.compile(fnmatch.translate(_SPECIAL.sub(_in_python, pattern)))


def _in_python(special: re.Match[str]) -> str:
    escaped, negated, characters = special.groups()
    if characters is None:
        return f"[{escaped}]"
    for name, members in _CLASSES.items():
        characters = characters.replace(f"[:{name}:]", members)
    return f"[{'!' if negated else ''}{characters}]"
