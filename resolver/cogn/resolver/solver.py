"""Which packages to install: dependency closures by search, without apt.

The relations are those of Debian policy, chapter 7; where it leaves a choice, the order is apt's:
what is there already, then the left-most alternative. The search is resolvelib's. What is to be
decided is, for each name, whether the package is there, and for each dependency that several
packages meet, which one it is:

- A package that is needed has to be there; one that a chosen package excludes must not be there.
- A choice is made when everything that follows without a choice is known. Equal choices of several
  packages are one choice.
- A recommendation is a choice that may be left open, made after the others.

Given packages are facts: they are not decided over, and what they need does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, overload

from resolvelib.providers import AbstractProvider
from resolvelib.reporters import BaseReporter
from resolvelib.resolvers import Resolution, ResolutionImpossible, ResolutionTooDeep

from cogn.report import ProblemsError
from cogn.resolver.conflicts import Conflicts
from cogn.resolver.debian import Candidate, Group, Universe, excluded, meets
from cogn.resolver.errors import ResolveError
from cogn.resolver.renames import unknown_package
from cogn.store.debian import Package, Relation, parse_relations

__all__ = ["Key", "Pin", "Requirement", "closure"]

_MOST_ROUNDS = 5_000
"""After that the search gives up: resolvelib may go in circles where packages that exclude each
other are tangled. Real systems take about one round for each package."""


class Key(NamedTuple):
    """What is decided: whether a package is there, or which of several."""

    kind: str
    """``package``, ``choice``, ``recommended`` or ``impossible``, for what cannot be met."""
    names: tuple[str, ...]


class Requirement(NamedTuple):
    """What a package, or the one who asks, requires of a decision."""

    key: Key
    wanted: bool
    """False for a package that must not be there."""
    relation: str
    """The relation that says so, as the package has it."""


class Pin(NamedTuple):
    """A decision: the package that is there, or None."""

    key: Key
    name: str | None


def closure(
    wanted: Iterable[str],
    universe: Universe,
    *,
    given: Sequence[Package] = (),
    recommends: bool = False,
    unneeded: Mapping[str, frozenset[str]] | None = None,
) -> list[Candidate]:
    """Return the packages `wanted` and all that they need beyond `given`, in the order of names.

    Every dependency of the result holds within the result and `given`, and nothing in it conflicts
    with or breaks anything else. With `recommends`, what its packages recommend is part of it where
    that can be had. `unneeded` names, for packages, the dependencies to pass over. Raises
    `ResolveError`, which says what stands against it, when that cannot be had, and `ProblemsError`
    for several names that nothing has.
    """
    known = {package.name: package for package in given}
    facts = _Facts(universe, known, unneeded or {})
    provider = _Provider(facts, recommends=recommends)
    names = _named(wanted, facts)
    requirements = [Requirement(Key("package", (name,)), True, name) for name in names]
    resolution: Resolution[Requirement, Pin, Key] = Resolution(provider, BaseReporter())
    provider.follow(resolution)
    try:
        state = resolution.resolve(requirements, max_rounds=_MOST_ROUNDS)
    except ResolutionImpossible as error:
        raise Conflicts(universe, known, names, provider.parents).explained(error.causes) from error
    except ResolutionTooDeep as error:
        raise ResolveError(
            "no set of packages was found that fits together",
            hint="ask for fewer packages, or for one alternative of those that exclude each other",
        ) from error
    # What a decision that was taken back had brought along is not part of the result.
    chosen: dict[str, Candidate] = {}
    pending = list(names)
    while pending:
        name = pending.pop()
        if name not in chosen and (candidate := universe.find(name)) is not None:
            chosen[name] = candidate
            for requirement in provider.get_dependencies(Pin(Key("package", (name,)), name)):
                pin = state.mapping[requirement.key]
                if requirement.wanted and pin.name is not None:
                    pending.append(pin.name)
    return [chosen[name] for name in sorted(chosen)]


def _named(wanted: Iterable[str], facts: _Facts) -> list[str]:
    """Return the packages that are meant, without the given ones."""
    names, problems = [], []
    for each in wanted:
        try:
            if (name := facts.named(each)) is not None:
                names.append(name)
        except ResolveError as error:
            problems.append(error)
    ProblemsError.raise_if_any(problems)
    return names


class _Facts:
    """What packages require, with the given packages taken into account."""

    def __init__(
        self,
        universe: Universe,
        given: Mapping[str, Package],
        unneeded: Mapping[str, frozenset[str]],
    ) -> None:
        self._universe = universe
        self._given = given
        self._unneeded = unneeded
        self._meeting: dict[Group, tuple[str, ...] | None] = {}
        self._provided: dict[str, list[Package]] = {}
        self._excluded_by_given: list[tuple[Package, Relation]] = []
        for package in given.values():
            for group in parse_relations(package.provides):
                self._provided.setdefault(group[0].name, []).append(package)
            self._excluded_by_given += ((package, each) for each in excluded(package))

    def named(self, name: str) -> str | None:
        """Return the package that is meant by `name`, None for a given one.

        Raises `ResolveError` for an unknown name and for a virtual one with several providers.
        """
        if name in self._given or name in self._provided:
            return None
        if self._universe.find(name) is not None:
            return name
        match self._universe.providers(name):
            case [provider]:
                return provider.package.name
            case []:
                raise unknown_package(name, self._universe)
            case [*providers]:
                listed = ", ".join(f"`{provider.package.name}`" for provider in providers)
                msg = f"`{name}` is a virtual package with several providers"
                raise ResolveError(msg, hint=f"name one of them: {listed}")

    def requirements(self, name: str, *, recommends: bool) -> Iterator[Requirement]:
        """Yield what the package of that name requires."""
        candidate = self._universe.find(name)
        if candidate is None:
            return
        package = candidate.package
        unneeded = self._unneeded.get(name, frozenset())
        for field in (package.pre_depends, package.depends):
            for group in parse_relations(field) if field else ():
                if not (unneeded and group[0].name in unneeded):
                    yield from self._dependency(group)
        yield from self._exclusions(package)
        if recommends and package.recommends:
            for group in parse_relations(package.recommends):
                if names := self._solutions(group):
                    yield Requirement(Key("recommended", names), True, _written(group))

    def _dependency(self, group: Group) -> Iterator[Requirement]:
        match self._solutions(group):
            case None:
                return
            case ():
                yield Requirement(Key("impossible", ()), True, _written(group))
            case (_,) as name:
                yield Requirement(Key("package", name), True, _written(group))
            case names:
                yield Requirement(Key("choice", names), True, _written(group))

    def _exclusions(self, package: Package) -> Iterator[Requirement]:
        for relation in excluded(package):
            for other in self._given_meeting(relation):
                yield _impossible(package, relation, other)
            for candidate in self._universe.meeting(relation):
                if (name := candidate.package.name) != package.name and name not in self._given:
                    yield Requirement(Key("package", (name,)), False, str(relation))
        for other, relation in self._excluded_by_given:
            if meets(package, relation) and other.name != package.name:
                yield _impossible(other, relation, package)

    def _solutions(self, group: Group) -> tuple[str, ...] | None:
        """Return the packages that meet a dependency, the best first; None if a given one does."""
        if group not in self._meeting:
            self._meeting[group] = self._found(group)
        return self._meeting[group]

    def _found(self, group: Group) -> tuple[str, ...] | None:
        if any(self._given_meeting(relation) for relation in group):
            return None
        names = dict.fromkeys(
            candidate.package.name
            for relation in group
            for candidate in self._universe.meeting(relation)
        )
        return tuple(name for name in names if name not in self._given)

    def _given_meeting(self, relation: Relation) -> list[Package]:
        real = self._given.get(relation.name)
        packages = ([] if real is None else [real]) + self._provided.get(relation.name, [])
        return [package for package in packages if meets(package, relation)]


class _Provider(AbstractProvider[Requirement, Pin, Key]):
    """What resolvelib asks for."""

    def __init__(self, facts: _Facts, *, recommends: bool) -> None:
        self._facts = facts
        self._recommends = recommends
        self._requirements: dict[str, tuple[Requirement, ...]] = {}
        self._resolution: Resolution[Requirement, Pin, Key] | None = None
        self.parents: dict[Key, str] = {}
        """The package that first required something of each decision."""

    def follow(self, resolution: Resolution[Requirement, Pin, Key]) -> None:
        """Look at the decisions of `resolution` when choices are made."""
        self._resolution = resolution

    def identify(self, requirement_or_candidate: Requirement | Pin) -> Key:
        return requirement_or_candidate.key

    def narrow_requirement_selection(
        self, identifiers: Iterable[Key], *_: object, **__: object
    ) -> Iterable[Key]:
        """Return what is decided next: what has no choice, then choices, the first found first."""
        order = {"impossible": 0, "package": 1, "choice": 2, "recommended": 3}
        return [min(identifiers, key=lambda key: order[key.kind])]

    def get_preference(self, *_: object, **__: object) -> int:
        return 0

    def find_matches(
        self,
        identifier: Key,
        requirements: Mapping[Key, Iterator[Requirement]],
        incompatibilities: Mapping[Key, Iterator[Pin]],
    ) -> Sequence[Pin]:
        failed = set(incompatibilities[identifier])
        match identifier.kind:
            case "package":
                wishes = {requirement.wanted for requirement in requirements[identifier]}
                (name,) = identifier.names
                pins = [Pin(identifier, name if wishes == {True} else None)]
                return [] if len(wishes) > 1 else [pin for pin in pins if pin not in failed]
            case "impossible":
                return []
            case kind:
                pins = [Pin(identifier, name) for name in identifier.names]
                if kind == "recommended":
                    pins.append(Pin(identifier, None))
                return _Choices(self, [pin for pin in pins if pin not in failed])

    def is_satisfied_by(self, requirement: Requirement, candidate: Pin) -> bool:
        return requirement.key.kind != "package" or requirement.wanted == (
            candidate.name is not None
        )

    def get_dependencies(self, candidate: Pin) -> tuple[Requirement, ...]:
        name = candidate.name
        if name is None:
            return ()
        if candidate.key.kind != "package":
            return (Requirement(Key("package", (name,)), True, name),)
        if name not in self._requirements:
            found = tuple(self._facts.requirements(name, recommends=self._recommends))
            self._requirements[name] = found
            for requirement in found:
                self.parents.setdefault(requirement.key, name)
        return self._requirements[name]

    def is_there(self, name: str) -> bool:
        """Tell whether the package is there by the decisions so far."""
        if self._resolution is None:
            return False
        pin = self._resolution.state.mapping.get(Key("package", (name,)))
        return pin is not None and pin.name is not None


class _Choices(Sequence[Pin]):
    """The ways to decide a choice, in an order that is settled when it is made."""

    def __init__(self, provider: _Provider, pins: Sequence[Pin]) -> None:
        self._provider = provider
        self._pins = pins

    def __len__(self) -> int:
        return len(self._pins)

    def __iter__(self) -> Iterator[Pin]:
        is_there = self._provider.is_there
        return iter(sorted(self._pins, key=lambda pin: pin.name is None or not is_there(pin.name)))

    @overload
    def __getitem__(self, index: int) -> Pin: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Pin]: ...
    def __getitem__(self, index: Any) -> Any:
        return list(self)[index]


def _written(group: Group) -> str:
    return " | ".join(map(str, group))


def _impossible(package: Package, relation: Relation, other: Package) -> Requirement:
    return Requirement(Key("impossible", (package.name, other.name)), False, str(relation))
