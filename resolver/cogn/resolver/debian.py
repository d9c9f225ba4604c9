"""The packages that some suites offer, and how they relate (Debian policy, chapter 7).

Of each name there is one candidate, as with apt's default priorities: the newest version of all
suites. Locked versions go before newer ones.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from cogn.lockfiles import Deb
from cogn.store.debian import Package, Relation, parse_relations

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
        suites: Iterable[tuple[str, Iterable[Package]]],
        *,
        locked: Iterable[Deb] = (),
        versions: Mapping[str, str] | None = None,
    ) -> None:
        self._candidates: dict[str, Candidate] = {}
        preferred = _Preferred(locked, versions or {})
        ranks: dict[str, int] = {}
        for archive, packages in suites:
            for package in packages:
                name = package.name
                rank = preferred.rank(package) if preferred else 0
                known = self._candidates.get(name)
                if known is not None:
                    before = ranks.get(name, 0)
                    if rank < before or (
                        rank == before and not package.is_newer_than(known.package)
                    ):
                        continue
                self._candidates[name] = Candidate(package, archive)
                if rank:
                    ranks[name] = rank

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self._candidates.values())

    def find(self, name: str) -> Candidate | None:
        """Return the package of that name, or None."""
        return self._candidates.get(name)

    def providers(self, name: str) -> list[Candidate]:
        """Return the packages that provide the virtual package `name`, the best choice first."""
        return sorted(self._provided.get(name, ()), key=_preference)

    def meeting(self, relation: Relation) -> list[Candidate]:
        """Return the packages that meet a relation, the one of that name before its providers."""
        real = self._candidates.get(relation.name)
        candidates = [] if real is None else [real]
        candidates += (each for each in self.providers(relation.name) if each is not real)
        return [each for each in candidates if meets(each.package, relation)]

    def similar(self, name: str) -> list[str]:
        """Return names that someone who wrote `name` may have meant."""
        return difflib.get_close_matches(name, self._candidates, n=3, cutoff=0.75)

    @cached_property
    def _provided(self) -> dict[str, list[Candidate]]:
        provided: dict[str, list[Candidate]] = {}
        for candidate in self._candidates.values():
            if candidate.package.provides:
                for name in {relation.name for relation in _provided(candidate.package)}:
                    provided.setdefault(name, []).append(candidate)
        return provided


class _Preferred:
    """What goes before newer versions."""

    def __init__(self, locked: Iterable[Deb], versions: Mapping[str, str]) -> None:
        self._versions = versions
        self._hashes: set[str] = set()
        self._sources: set[tuple[str, str]] = set()
        for deb in locked:
            self._hashes.add(deb.sha256)
            self._sources.add((deb.source or deb.name, deb.version))

    def __bool__(self) -> bool:
        return bool(self._hashes or self._versions)

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
