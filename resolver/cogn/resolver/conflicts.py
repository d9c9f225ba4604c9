"""Why packages cannot be had together, in words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from cogn.resolver.debian import Universe
from cogn.resolver.errors import ResolveError
from cogn.store.debian import Package, parse_relations

if TYPE_CHECKING:
    from resolvelib.structs import RequirementInformation

    from cogn.resolver.solver import Key, Pin, Requirement

__all__ = ["Conflicts"]


class Conflicts:
    """Explains what ended a search: `parents` has who first asked for each decision."""

    def __init__(
        self,
        universe: Universe,
        given: Mapping[str, Package],
        wanted: Collection[str],
        parents: Mapping[Key, str],
    ) -> None:
        self._universe = universe
        self._given = given
        self._wanted = wanted
        self._parents: dict[str, str] = {}
        for key, parent in parents.items():
            for name in key.names if key.kind != "impossible" else ():
                self._parents.setdefault(name, parent)

    def explained(
        self, causes: Collection[RequirementInformation[Requirement, Pin]]
    ) -> ResolveError:
        """Return the error for the requirements that could not hold together."""
        for requirement, pin in causes:
            if requirement.key.kind == "impossible" and pin is not None and pin.name is not None:
                if requirement.wanted:
                    return self._unmet(pin.name, requirement.relation)
                name, other = requirement.key.names
                return self._exclusion(name, other, requirement.relation)
        needed = {requirement.key for requirement, _ in causes if requirement.wanted}
        for requirement, pin in causes:
            if not requirement.wanted and pin is not None and requirement.key in needed:
                (other,) = requirement.key.names
                return self._exclusion(pin.name or "", other, requirement.relation)
        names = ", ".join(f"`{name}`" for name in self._wanted)
        return ResolveError(f"no set of packages fits together that has {names}")

    def _unmet(self, name: str, relation: str) -> ResolveError:
        alternatives = [each for group in parse_relations(relation) for each in group]
        message = f"{self._named(name)} needs `{relation}`"
        given = [self._given[each.name] for each in alternatives if each.name in self._given]
        hint = None
        if given:
            message += f", but the base has {_listed(given)}"
            hint = "nothing of a base is upgraded: take one that has newer packages"
        else:
            found = (self._universe.find(each.name) for each in alternatives)
            offered = [candidate.package for candidate in found if candidate is not None]
            message += f", but there is only {_listed(offered)}" if offered else ": not found"
        return ResolveError("\n  ".join([message, *self._chain(name)]), hint=hint)

    def _exclusion(self, name: str, other: str, relation: str) -> ResolveError:
        message = (
            f"{self._named(name)} and {self._named(other)} cannot be installed together: "
            f"the first excludes `{relation}`"
        )
        return ResolveError("\n  ".join([message, *self._chain(name), *self._chain(other)]))

    def _named(self, name: str) -> str:
        if (package := self._given.get(name)) is None:
            candidate = self._universe.find(name)
            if candidate is None:
                return f"`{name}`"
            package = candidate.package
        return _listed([package])

    def _chain(self, name: str) -> Iterator[str]:
        """Yield one line that says who needs the package, up to what was asked for."""
        if name in self._given:
            yield f"`{name}` is in the base"
            return
        links = [name]
        while links[-1] not in self._wanted:
            parent = self._parents.get(links[-1])
            if parent is None or parent in links:
                return
            links.append(parent)
        links.reverse()
        needs = [f"`{link}`" for link in links]
        if len(needs) > 1:
            yield " needs ".join(needs[:2]) + "".join(f", which needs {each}" for each in needs[2:])


def _listed(packages: Iterable[Package]) -> str:
    return ", ".join(f"`{package.name}` {package.version}" for package in packages)
