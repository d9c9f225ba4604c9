"""Unpacking Debian packages over a base, as the entries of one layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from cogn.layers.content import read_all
from cogn.layers.debian import dpkg
from cogn.layers.debian.below import ImageBelow
from cogn.layers.debian.deb import DebFile, open_deb
from cogn.layers.entry import Entry, Kind
from cogn.layers.errors import DebError
from cogn.layers.facts import Facts
from cogn.lockfiles import Deb

__all__ = ["open_debs", "unpacked", "unpacked_debs"]


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
    """Give the entries of a layer as `unpacked` does.

    The content of files lies below `scratch` until the block ends.
    """
    with open_debs(debs, scratch) as packages:
        yield unpacked([deb for deb, _ in debs], packages, facts)


def unpacked(
    debs: Iterable[Deb],
    packages: Sequence[DebFile],
    facts: Facts,
    below: ImageBelow | None = None,
) -> list[Entry]:
    """Return the entries of the layer that holds `packages`, with what dpkg notes about each.

    `debs` are what the lock says about them, `below` is the image that they are put on, if there is
    one. Paths follow the base's directory links. Raises `DebError` for a package that is malformed
    or hostile, and for two packages that have different files in one place without one replacing
    the other; `LayerError` for what the image has no room for.
    """
    tree = _Tree(facts, below, {deb.name: frozenset(deb.replaces) for deb in debs})
    for package in packages:
        tree.unpack(package)
    return tree.entries()


_Placed = dict[str, tuple[Entry, DebFile]]


class _Tree:
    """What some packages become together."""

    def __init__(
        self, facts: Facts, below: ImageBelow | None, replaces: Mapping[str, frozenset[str]]
    ) -> None:
        self._facts = facts
        self._below = below
        self._replaces = replaces
        self._packages: list[DebFile] = []
        self._placed: _Placed = {}
        self._lost: dict[str, set[str]] = {}

    def unpack(self, package: DebFile) -> None:
        self._packages.append(package)
        leaves_out = self._facts.filters.leaves_out
        packaged = {entry.path: entry for entry in package.entries}
        for entry in package.entries:
            if leaves_out(entry.path, entry.kind):
                continue
            if entry.kind is Kind.HARDLINK and (
                leaves_out(entry.target, Kind.FILE) or entry.target in self._lost_by(package)
            ):
                entry = _as_file(entry, packaged[entry.target])
            self._place(entry, package)

    def entries(self) -> list[Entry]:
        for package in self._packages:
            for entry in dpkg.info(package, self._facts.filters, self._lost_by(package)):
                self._place(entry, package)
        placed = self._placed
        self._check_parents(placed)
        if self._below is not None:
            conffiles = {package.name: self._conffiles(package) for package in self._packages}
            return [
                entry
                for entry, package in placed.values()
                if self._below.takes(entry, package.fields["Package"], conffiles[package.name])
            ]
        return [entry for entry, _ in placed.values()]

    def _check_parents(self, placed: _Placed) -> None:
        checked: set[str] = set()
        for path, (_, package) in placed.items():
            above = path
            while (above := above.rpartition("/")[0]) and above not in checked:
                checked.add(above)
                parent, other = placed.get(above, (None, package))
                if parent is not None and parent.kind is not Kind.DIRECTORY:
                    msg = (
                        f"`{package.name}` has `{path}`, but `{above}` of `{other.name}` "
                        "is no directory"
                    )
                    raise DebError(msg)
                if self._below is not None:
                    self._below.require_directory(above)

    def _conffiles(self, package: DebFile) -> set[str]:
        return {self._facts.resolve(path) for path in dpkg.conffiles(package)}

    def _place(self, entry: Entry, package: DebFile) -> None:
        facts = self._facts
        packaged = entry.path
        if entry.kind is Kind.DIRECTORY:
            entry = replace(entry, path=facts.resolve_directory(entry.path))
            if known := facts.directories.get(entry.path):  # what is there stays as it is
                entry = replace(entry, mode=known.mode, uid=known.uid, gid=known.gid)
        else:
            entry = replace(entry, path=facts.resolve(entry.path))
            if facts.resolve_directory(entry.path) != entry.path and entry.kind is not Kind.SYMLINK:
                raise DebError(f"`{package.name}` has a file in place of the link `{entry.path}`")
        if entry.kind is Kind.HARDLINK:
            entry = replace(entry, target=facts.resolve(entry.target))
        placed, other = self._placed.setdefault(entry.path, (entry, package))
        if placed is entry or _agree(entry, placed):
            return
        directory = Kind.DIRECTORY in {entry.kind, placed.kind}
        if not directory and self._may_replace(package, other):
            self._take_over(placed, other)
            self._placed[entry.path] = entry, package
        elif not directory and self._may_replace(other, package):
            self._lost_by(package).add(packaged)
        else:
            msg = f"`{package.name}` and `{other.name}` have different files at `{entry.path}`"
            raise DebError(msg)

    def _may_replace(self, package: DebFile, other: DebFile) -> bool:
        return other.fields["Package"] in self._replaces[package.fields["Package"]]

    def _take_over(self, placed: Entry, owner: DebFile) -> None:
        """Note that a package loses a file, which its hard links to it keep."""
        lost = self._lost_by(owner)
        lost |= {
            entry.path for entry in owner.entries if self._facts.resolve(entry.path) == placed.path
        }
        for path, (entry, package) in self._placed.items():
            if entry.kind is Kind.HARDLINK and package is owner and entry.target == placed.path:
                self._placed[path] = _as_file(entry, placed), package

    def _lost_by(self, package: DebFile) -> set[str]:
        """Return the packaged paths that other packages took over."""
        return self._lost.setdefault(package.name, set())


def _as_file(link: Entry, file: Entry) -> Entry:
    return replace(link, kind=Kind.FILE, target="", content=file.content)


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
