"""Dependency closures of Debian packages, without apt.

The rules are those of Debian policy, chapter 7, and of apt where policy leaves a choice: the
left-most alternative that can be had, the newest version of all suites. There is no backtracking:
a stable release is made to be installable together, and when two packages exclude each other the
error names both.
"""

from __future__ import annotations

import difflib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from cogn.lockfiles import Deb
from cogn.resolver.errors import ResolveError
from cogn.store.debian import Package, Relation, parse_relations

__all__ = ["Candidate", "Universe", "closure"]

_PRIORITIES = ("required", "important", "standard")
_Group = tuple[Relation, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A package that can be chosen, with the name of the archive that has it."""

    package: Package
    archive: str

    @property
    def deb(self) -> Deb:
        """The package as the lock names it."""
        package = self.package
        return Deb(
            name=package.name,
            version=package.version,
            architecture=package.architecture,
            archive=self.archive,
            path=package.path,
            sha256=package.sha256,
            size=package.size,
        )


class Universe:
    """All packages of some suites: of each name the newest version, from the first that has it."""

    def __init__(self, archives: Mapping[str, Iterable[Package]]) -> None:
        self._candidates: dict[str, Candidate] = {}
        for archive, packages in archives.items():
            for package in packages:
                known = self._candidates.get(package.name)
                if known is None or package.is_newer_than(known.package):
                    self._candidates[package.name] = Candidate(package, archive)

    def find(self, name: str) -> Candidate | None:
        """Return the package of that name, or None."""
        return self._candidates.get(name)

    def providers(self, name: str) -> list[Candidate]:
        """Return the packages that provide the virtual package `name`, the best choice first."""
        return sorted(self._provided.get(name, ()), key=_preference)

    def similar(self, name: str) -> list[str]:
        """Return names that someone who wrote `name` may have meant."""
        return difflib.get_close_matches(name, self._candidates, n=3, cutoff=0.75)

    @cached_property
    def _provided(self) -> dict[str, list[Candidate]]:
        provided: dict[str, list[Candidate]] = {}
        for candidate in self._candidates.values():
            for name in {relation.name for relation in _provided(candidate.package)}:
                provided.setdefault(name, []).append(candidate)
        return provided


def closure(
    names: Iterable[str], universe: Universe, *, given: Sequence[Package] = ()
) -> list[Candidate]:
    """Return the packages `names` and all that they need beyond `given`, in the order of names.

    Every dependency of the result holds within the result and `given`, and nothing in it conflicts
    with or breaks anything else. Raises `ResolveError` when that cannot be had.
    """
    search = _Closure(universe, given)
    for name in names:
        search.want(name)
    search.complete()
    search.check()
    return [search.chosen[name] for name in sorted(search.chosen)]


class _Closure:
    """A set of packages that grows until all its dependencies hold."""

    def __init__(self, universe: Universe, given: Sequence[Package]) -> None:
        self.chosen: dict[str, Candidate] = {}
        self._universe = universe
        self._present: dict[str, Package] = {}
        self._provided: dict[str, list[tuple[Package, Relation]]] = {}
        self._open: deque[tuple[Package, _Group]] = deque()
        self._given = {package.name: package for package in given}
        for package in given:
            self._include(package)

    def want(self, name: str) -> None:
        """Add the package `name`, or the only one that provides it."""
        if name in self._present:
            return
        candidate = self._universe.find(name)
        if candidate is None:
            match self._universe.providers(name):
                case [candidate]:
                    pass
                case []:
                    raise self._unknown(name)
                case [*providers]:
                    listed = ", ".join(f"`{provider.package.name}`" for provider in providers)
                    msg = f"`{name}` is a virtual package with several providers"
                    raise ResolveError(msg, hint=f"name one of them: {listed}")
        self._choose(candidate)

    def complete(self) -> None:
        """Add what is needed until nothing is missing.

        Dependencies with a choice wait until those without are settled: what one package insists
        on often is an alternative of another.
        """
        choices: deque[tuple[Package, _Group]] = deque()
        while self._open or choices:
            if self._open:
                package, group = self._open.popleft()
                if len(group) > 1 or self._universe.find(group[0].name) is None:
                    choices.append((package, group))
                    continue
            else:
                package, group = choices.popleft()
            if not self._holds(group):
                self._choose(self._solution(package, group))

    def check(self) -> None:
        """Raise `ResolveError` when packages of the set exclude each other."""
        for package in self._present.values():
            for group in parse_relations(package.conflicts) + parse_relations(package.breaks):
                for other in self._matching(group[0]):
                    if other is package or not ({package.name, other.name} & self.chosen.keys()):
                        continue
                    msg = (
                        f"`{package.name}` {package.version} and `{other.name}` {other.version} "
                        f"cannot be installed together: the first excludes `{group[0]}`"
                    )
                    raise ResolveError(msg)

    def _choose(self, candidate: Candidate) -> None:
        package = candidate.package
        self.chosen[package.name] = candidate
        self._include(package)
        for field in (package.pre_depends, package.depends):
            self._open.extend((package, group) for group in parse_relations(field))

    def _include(self, package: Package) -> None:
        self._present[package.name] = package
        for relation in _provided(package):
            self._provided.setdefault(relation.name, []).append((package, relation))

    def _holds(self, group: _Group) -> bool:
        return any(self._matching(relation) for relation in group)

    def _matching(self, relation: Relation) -> list[Package]:
        """Return the present packages that are or provide what `relation` names."""
        real = self._present.get(relation.name)
        matching = [real] if real is not None and _is(real, relation) else []
        matching += (
            package
            for package, provided in self._provided.get(relation.name, ())
            if package is not real and _provides(package, provided, relation)
        )
        return matching

    def _solution(self, package: Package, group: _Group) -> Candidate:
        """Return the candidate of the left-most alternative that has one."""
        for relation in group:
            real = self._universe.find(relation.name)
            candidates = ([] if real is None else [real]) + self._universe.providers(relation.name)
            for candidate in candidates:
                if candidate.package.name not in self._present and _satisfies(
                    candidate.package, relation
                ):
                    return candidate
        wanted = " | ".join(str(relation) for relation in group)
        msg = f"`{package.name}` {package.version} needs `{wanted}`"
        given = ", ".join(_named(self._given[r.name]) for r in group if r.name in self._given)
        if given:
            raise ResolveError(
                f"{msg}, but the base has {given}",
                hint="nothing of a base is upgraded: take one that has newer packages",
            )
        known = filter(None, (self._known(relation.name) for relation in group))
        offered = ", ".join(map(_named, known))
        raise ResolveError(
            f"{msg}, but there is only {offered}" if offered else f"{msg}: not found"
        )

    def _known(self, name: str) -> Package | None:
        candidate = self._universe.find(name)
        return self._present.get(name) or (None if candidate is None else candidate.package)

    def _unknown(self, name: str) -> ResolveError:
        similar = ", ".join(f"`{other}`" for other in self._universe.similar(name))
        hint = f"similar names: {similar}" if similar else None
        return ResolveError(f"there is no package `{name}` in this Debian release", hint=hint)


def _named(package: Package) -> str:
    return f"`{package.name}` {package.version}"


def _satisfies(package: Package, relation: Relation) -> bool:
    return _is(package, relation) or any(
        _provides(package, provided, relation)
        for provided in _provided(package)
        if provided.name == relation.name
    )


def _is(package: Package, relation: Relation) -> bool:
    return (
        package.name == relation.name
        and _meets_qualifier(package, relation)
        and relation.admits(package.version)
    )


def _provides(package: Package, provided: Relation, relation: Relation) -> bool:
    """Tell whether `provided`, of `package`, meets `relation`: a version needs a version."""
    if not _meets_qualifier(package, relation):
        return False
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


def _provided(package: Package) -> list[Relation]:
    return [relation for group in parse_relations(package.provides) for relation in group]


def _preference(candidate: Candidate) -> tuple[bool, int, str]:
    """Sort essential packages first, then by priority, then by name."""
    package = candidate.package
    rank = (
        _PRIORITIES.index(package.priority) if package.priority in _PRIORITIES else len(_PRIORITIES)
    )
    return (not package.essential, rank, package.name)
