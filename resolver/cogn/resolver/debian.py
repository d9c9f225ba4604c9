"""The packages that some suites offer, and how they relate (Debian policy, chapter 7).

Of each name there is one candidate, as with apt's default priorities: the newest version of all
suites. Locked versions go before newer ones.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from cogn.lockfiles import Deb
from cogn.store.debian import Package, Packages, Relation, parse_relations

__all__ = ["Candidate", "Group", "Universe", "excluded", "meets", "replaced"]

Group = tuple[Relation, ...]
"""The alternatives of a dependency."""

_PRIORITIES = ("required", "important", "standard", "optional", "extra")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A package that can be chosen, with the name of the archive that has it."""

    package: Package
    archive: str

    def deb(self, replaces: tuple[str, ...] = ()) -> Deb:
        """Return the package as the lock names it."""
        package = self.package
        return Deb(
            name=package.name,
            version=package.version,
            architecture=package.architecture,
            archive=self.archive,
            path=package.path,
            sha256=package.sha256,
            size=package.size,
            source=package.source,
            replaces=replaces,
        )


class Universe:
    """All packages of some suites, one of each name.

    `suites` are the names of archives with what their suites have; of two that have the same
    version the first one counts. `versions` are versions asked for by name. What `locked` has stays
    at its version, and so do other packages of the same sources, which often need just each other.
    """

    def __init__(
        self,
        suites: Iterable[tuple[str, Packages]],
        *,
        locked: Iterable[Deb] = (),
        versions: Mapping[str, str] | None = None,
    ) -> None:
        self._suites = tuple(suites)
        self._preferred = _Preferred(locked, versions or {})
        self._candidates: dict[str, Candidate | None] = {}
        self._providers: dict[str, list[Candidate]] = {}

    @cached_property
    def names(self) -> Collection[str]:
        """The names of all packages."""
        return dict.fromkeys(name for _, packages in self._suites for name in packages.names)

    @cached_property
    def essential(self) -> Sequence[str]:
        """The names of the essential packages, sorted."""
        marked = {name for _, packages in self._suites for name in packages.essential}
        found = filter(None, map(self.find, sorted(marked)))
        return [each.package.name for each in found if each.package.essential]

    def find(self, name: str) -> Candidate | None:
        """Return the package of that name, or None."""
        if name not in self._candidates:
            self._candidates[name] = self._best(name)
        return self._candidates[name]

    def providers(self, name: str) -> list[Candidate]:
        """Return the packages that provide the virtual package `name`, the best choice first."""
        if name not in self._providers:
            names = {each for _, packages in self._suites for each in packages.providing(name)}
            found = filter(None, map(self.find, names))
            provide = (
                each
                for each in found
                if any(relation.name == name for relation in _provided(each.package))
            )
            self._providers[name] = sorted(provide, key=_preference)
        return self._providers[name]

    def meeting(self, relation: Relation) -> list[Candidate]:
        """Return the packages that meet a relation, the one of that name before its providers."""
        real = self.find(relation.name)
        candidates = [] if real is None else [real]
        candidates += (each for each in self.providers(relation.name) if each is not real)
        return [each for each in candidates if meets(each.package, relation)]

    def similar(self, name: str) -> list[str]:
        """Return names that someone who wrote `name` may have meant."""
        return difflib.get_close_matches(name, self.names, n=3, cutoff=0.75)

    def _best(self, name: str) -> Candidate | None:
        best: Candidate | None = None
        before = 0
        for archive, packages in self._suites:
            for package in packages.named(name):
                rank = self._preferred.rank(package)
                if (
                    best is None
                    or rank > before
                    or (rank == before and package.is_newer_than(best.package))
                ):
                    best, before = Candidate(package, archive), rank
        return best


class _Preferred:
    """What goes before newer versions."""

    def __init__(self, locked: Iterable[Deb], versions: Mapping[str, str]) -> None:
        self._versions = versions
        self._hashes: set[str] = set()
        self._sources: set[tuple[str, str]] = set()
        for deb in locked:
            self._hashes.add(deb.sha256)
            self._sources.add((deb.source or deb.name, deb.version))

    def rank(self, package: Package) -> int:
        if self._versions.get(package.name) == package.version:
            return 3
        if package.sha256 in self._hashes:
            return 2
        return (package.source or package.name, package.version) in self._sources


def meets(package: Package, relation: Relation) -> bool:
    """Tell whether `package` is or provides what `relation` names, in the right version."""
    if not _meets_qualifier(package, relation):
        return False
    if package.name == relation.name and relation.admits(package.version):
        return True
    return bool(package.provides) and any(
        _provides(provided, relation)
        for provided in _provided(package)
        if provided.name == relation.name
    )


def excluded(package: Package) -> Iterator[Relation]:
    """Yield what cannot be installed beside `package`; it may be among that itself."""
    for field in (package.conflicts, package.breaks):
        if field:
            for group in parse_relations(field):
                yield group[0]


def replaced(package: Package, others: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of `others`, given with their versions, whose files it may take over.

    As for dpkg, these are packages that have the name themselves (policy 7.6).
    """
    if not package.replaces:
        return ()
    relations = [group[0] for group in parse_relations(package.replaces)]
    return tuple(
        sorted(
            {
                relation.name
                for relation in relations
                if relation.name != package.name
                and (version := others.get(relation.name)) is not None
                and relation.admits(version)
            }
        )
    )


def _provides(provided: Relation, relation: Relation) -> bool:
    """Tell whether a provision meets `relation`: a version needs a version."""
    if relation.operator is None:
        return True
    return provided.version is not None and relation.admits(provided.version)


def _meets_qualifier(package: Package, relation: Relation) -> bool:
    """Tell whether `package` suits what follows the colon, in an image of one architecture."""
    match relation.qualifier:
        case None | "native":
            return True
        case "any":
            return package.multi_arch == "allowed"
        case architecture:
            return package.architecture in {architecture, "all"}


def _provided(package: Package) -> Sequence[Relation]:
    return [relation for group in parse_relations(package.provides) for relation in group]


def _preference(candidate: Candidate) -> tuple[bool, int, str]:
    """Sort essential packages first, then by priority as apt does, then by name."""
    package = candidate.package
    known = package.priority in _PRIORITIES
    rank = _PRIORITIES.index(package.priority) if known else len(_PRIORITIES)
    return (not package.essential, rank, package.name)
