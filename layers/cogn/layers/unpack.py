"""Unpacking Debian packages over a base, as the entries of one layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from cogn.layers import dpkg
from cogn.layers.content import read_all
from cogn.layers.deb import DebFile, open_deb
from cogn.layers.entry import Entry, Kind
from cogn.layers.errors import DebError
from cogn.layers.facts import Facts
from cogn.lockfiles import Deb

__all__ = ["EXCLUDED", "INCLUDED", "is_excluded", "open_debs", "unpacked_debs"]

EXCLUDED = (
    "usr/share/doc/*/*",
    "usr/share/groff/*",
    "usr/share/info/*",
    "usr/share/linda/*",
    "usr/share/lintian/*",
    "usr/share/locale/*",
    "usr/share/man/*",
)
"""What images leave out of packages, as Debian's slim images do (``path-exclude`` of dpkg(1))."""

INCLUDED = ("usr/share/doc/*/copyright",)
"""What stays all the same."""


def is_excluded(path: str) -> bool:
    """Tell whether images leave out the packaged file or directory `path`."""
    return any(fnmatchcase(path, pattern) for pattern in EXCLUDED) and not any(
        fnmatchcase(path, pattern) for pattern in INCLUDED
    )


@contextmanager
def open_debs(debs: Sequence[tuple[Deb, Path]], scratch: Path) -> Iterator[list[DebFile]]:
    """Give the packages of a lock, each with its file, open and in the order of their names.

    Raises `DebError` for a file that is malformed or another package than the lock says.
    """
    with ExitStack() as stack:
        packages = []
        for deb, file in sorted(debs, key=lambda pair: pair[0].name):
            package = stack.enter_context(open_deb(file, f"{deb.name} {deb.version}", scratch))
            given = [package.fields.get(key, "") for key in ("Package", "Version", "Architecture")]
            if given != [deb.name, deb.version, deb.architecture]:
                raise DebError(f"the file of `{package.name}` is the package `{' '.join(given)}`")
            packages.append(package)
        yield packages


@contextmanager
def unpacked_debs(
    debs: Sequence[tuple[Deb, Path]], facts: Facts, scratch: Path
) -> Iterator[list[Entry]]:
    """Give the entries of the layer that holds `debs`, with what dpkg notes about each of them.

    Paths follow the base's directory links. The content of files lies below `scratch` until the
    block ends. Raises `DebError` for a package that is malformed or hostile, and for two packages
    that have different files in one place.
    """
    with open_debs(debs, scratch) as packages:
        tree = _Tree(facts)
        for package in packages:
            tree.unpack(package)
        yield tree.entries()


class _Tree:
    """What some packages become together."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._placed: dict[str, tuple[Entry, DebFile]] = {}

    def unpack(self, package: DebFile) -> None:
        packaged = {entry.path: entry for entry in package.entries}
        for entry in package.entries:
            if is_excluded(entry.path):
                continue
            if entry.kind is Kind.HARDLINK and is_excluded(entry.target):
                file = packaged[entry.target]
                entry = replace(entry, kind=Kind.FILE, target="", content=file.content)
            self._place(entry, package)
        for entry in dpkg.info(package):
            self._place(entry, package)

    def entries(self) -> list[Entry]:
        for path, (_, package) in self._placed.items():
            above = path
            while above := above.rpartition("/")[0]:
                parent, other = self._placed.get(above, (None, package))
                if parent is not None and parent.kind is not Kind.DIRECTORY:
                    msg = (
                        f"`{package.name}` has `{path}`, but `{above}` of `{other.name}` "
                        "is no directory"
                    )
                    raise DebError(msg)
        return [entry for entry, _ in self._placed.values()]

    def _place(self, entry: Entry, package: DebFile) -> None:
        facts = self._facts
        if entry.kind is Kind.DIRECTORY:
            entry = replace(entry, path=facts.resolve_directory(entry.path))
        else:
            entry = replace(entry, path=facts.resolve(entry.path))
            if facts.resolve_directory(entry.path) != entry.path and entry.kind is not Kind.SYMLINK:
                raise DebError(f"`{package.name}` has a file in place of the link `{entry.path}`")
        if entry.kind is Kind.HARDLINK:
            entry = replace(entry, target=facts.resolve(entry.target))
        placed, other = self._placed.setdefault(entry.path, (entry, package))
        if placed is not entry and not _agree(entry, placed):
            msg = f"`{package.name}` and `{other.name}` have different files at `{entry.path}`"
            raise DebError(msg)


def _agree(one: Entry, other: Entry) -> bool:
    """Tell whether two packages can have these at the same path: the first stays, as with dpkg."""
    if one.kind is not other.kind:
        return False
    match one.kind:
        case Kind.DIRECTORY:
            return True
        case Kind.FILE:
            same = (one.mode, one.uid, one.gid, one.content.size) == (
                other.mode,
                other.uid,
                other.gid,
                other.content.size,
            )
            return same and read_all(one.content) == read_all(other.content)
        case _:
            return one.target == other.target
