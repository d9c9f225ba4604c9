"""What a system consists of: the packages of a base, of its Python, and those asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cogn.lockfiles import Archive, Asked, Base, Deb, DebianBase, DistributionPython, Python
from cogn.report import CognError, Where
from cogn.resolver.base import BASE_PACKAGES, ESSENCE, SCRIPTS_NEED, python_package
from cogn.resolver.debian import Universe, replaced
from cogn.resolver.errors import ResolveError
from cogn.resolver.image import FoundImage
from cogn.resolver.pythons import PythonBuilds, WantedPython, accepts
from cogn.resolver.releases import OWN_BASES, PythonSource, Release
from cogn.resolver.solver import closure
from cogn.resolver.wanted import WantedPackage
from cogn.store.debian import OpenSuite, Package, Packages, parse_relations

__all__ = ["Composition", "System", "SystemRequest", "archive_of"]

_INTERPRETER_LIBRARIES = ("libc6", "libexpat1", "zlib1g")
_UPSTREAM = re.compile(r"(?:\d+:)?((\d+\.\d+)\.\d+)")
_PACKAGES_KEY = Where("cog.yaml", key="build.system_packages")


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemRequest:
    """What a project asks of the system."""

    python_version: str
    """The wanted version: minor, such as ``3.13``, or full."""
    python_source: PythonSource | None = None
    """Where it has to come from; None for the distribution's own if that fits."""
    suite: str = next(iter(OWN_BASES))
    """The release of cogn's own base, where no image is the base."""
    shell: bool = True
    """Whether that base has a shell."""
    packages: tuple[WantedPackage, ...] = ()
    recommends: bool = False

    @property
    def asked(self) -> Asked | None:
        """What the lock says was asked for."""
        if not self.packages:
            return None
        return Asked(packages=tuple(map(str, self.packages)), recommends=self.recommends)

    def accepts(self, python: str) -> bool:
        """Tell whether the full version `python` is what is asked for."""
        return accepts(self.python_version, python)


@dataclass(frozen=True, slots=True)
class System:
    """The packages of an image, bottom first."""

    base: Base
    python: Python
    packages: tuple[Deb, ...]
    """What is asked for, and what that needs beyond the rest."""
    asked: Asked | None

    @property
    def debs(self) -> tuple[Deb, ...]:
        """All packages that are put into the image."""
        return self.base.debs + self.python.debs + self.packages


@dataclass(frozen=True, slots=True)
class Composition:
    """What a system is put together from."""

    request: SystemRequest
    release: Release
    suites: Sequence[OpenSuite]
    offered: Sequence[tuple[str, Packages]]
    image: FoundImage | None
    pythons: PythonBuilds

    def system(self, locked: Sequence[Deb]) -> System:
        """Return the system, with the versions of `locked` where that is possible."""
        if locked:
            try:
                return self._system(self._universe(locked))
            except ResolveError:  # what is new may need newer versions of the rest
                pass
        return self._system(self._universe(()))

    def _universe(self, locked: Sequence[Deb]) -> Universe:
        versions = {each.name: each.version for each in self.request.packages if each.version}
        return Universe(self.offered, locked=locked, versions=versions)

    def _system(self, universe: Universe) -> System:
        installed = self.image.packages if self.image else ()
        layers = _Layers(universe, installed, {} if self._has_shell else SCRIPTS_NEED)
        base = layers.add(BASE_PACKAGES if self._has_shell else ESSENCE)
        python, interpreter = self._python(layers)
        packages = self._packages(layers) if self.request.packages else ()
        return System(
            base=self._base(base, interpreter, layers.present),
            python=python,
            packages=packages,
            asked=self.request.asked,
        )

    def _packages(self, layers: _Layers) -> tuple[Deb, ...]:
        """Put what the project asks for on top, and return it."""
        try:
            names = [self._named(each, layers) for each in self.request.packages]
            every = [*names, *self._essential(layers)]
            return layers.add(every, recommends=self.request.recommends)
        except CognError as error:
            for problem in error.problems:
                problem.where = _PACKAGES_KEY
            raise

    @property
    def _has_shell(self) -> bool:
        return self.image.has_shell if self.image else self.request.shell

    def _essential(self, layers: _Layers) -> Sequence[str]:
        """Return the packages that no other declares to need (policy 3.8), but counts on.

        They count on them in scripts, so a system without a shell does without.
        """
        if not self._has_shell:
            return []
        return layers.universe.essential

    def _named(self, wanted: WantedPackage, layers: _Layers) -> str:
        """Return the name to look for; raises `ResolveError` for another version than asked for."""
        if wanted.version is None:
            return wanted.name
        if (
            given := layers.present.get(wanted.name)
        ) is not None and given.version != wanted.version:
            raise ResolveError(
                f"`{wanted}` cannot be had: the base has {given.version}",
                hint="nothing of a base is replaced",
            )
        candidate = layers.universe.find(wanted.name)
        if candidate is not None and candidate.package.version != wanted.version:
            raise ResolveError(
                f"`{wanted}` cannot be had: the archive has {candidate.package.version}",
                hint="archives drop versions that were superseded: write the name alone, and the "
                "lock keeps the version, or set `archives.snapshot` in cogn.toml",
            )
        return wanted.name

    def _python(self, layers: _Layers) -> tuple[Python, tuple[Deb, ...]]:
        """Return the Python, and what an image has installed for its own to run with."""
        minor = self._python_minor(layers.universe)
        wanted = WantedPython(
            version=self.request.python_version,
            source=self.request.python_source,
            release=str(self.release),
            offered=self._python_version(layers, minor) if minor else None,
        )
        if minor is None or not wanted.is_offered:
            return self.pythons.find(wanted), ()
        if self.image is not None:
            self.image.check_python(minor)
        debs = layers.add((python_package(minor),))
        python = DistributionPython(
            version=self._python_version(layers, minor),
            reason="the wanted version is the base's own",
            debs=debs,
        )
        return python, self._interpreter(layers.universe, minor)

    def _python_minor(self, universe: Universe) -> str | None:
        """Return the release's own Python, None when it has no Python 3."""
        if minor := OWN_BASES.get(self.release.codename):
            return minor
        python = universe.find("python3")
        match = _UPSTREAM.match(python.package.version) if python else None
        return match[2] if match else None

    def _python_version(self, layers: _Layers, minor: str) -> str:
        """Return the upstream version of the interpreter that is in the system or would be."""
        name = python_package(minor)
        package = layers.present.get(name)
        if package is None and (candidate := layers.universe.find(name)):
            package = candidate.package
        match = _UPSTREAM.match(package.version) if package else None
        if match is None:
            raise ResolveError(f"the archive's Python {minor} has no version that can be read")
        return match[1]

    def _interpreter(self, universe: Universe, minor: str) -> tuple[Deb, ...]:
        """Return what an interpreter runs with, of what an image has installed.

        These packages do not go into the image: bytecode is compiled with the interpreter itself,
        on the machine that assembles. The versions of libraries do not matter for that.
        """
        if self.image is None:
            return ()
        names = {package.name for package in self.image.packages}
        own = closure((python_package(minor),), universe)
        needed = {*_INTERPRETER_LIBRARIES}
        needed.update(each.package.name for each in own if minor in each.package.name)
        candidates = filter(None, map(universe.find, sorted(names & needed)))
        return tuple(candidate.deb() for candidate in candidates)

    def _base(
        self, debs: tuple[Deb, ...], interpreter: tuple[Deb, ...], present: Mapping[str, Package]
    ) -> Base:
        archives = tuple(map(archive_of, self.suites))
        without = "" if self._has_shell else _without_scripts(present)
        if self.image is not None:
            return self.image.base(archives, debs, interpreter, without)
        what = "the default base" if self._is_default else "the base that cogn.toml asks for"
        return DebianBase(
            release=self.release.codename,
            shell=self.request.shell,
            reason=f"{what}, {self.release}: CUDA, where needed, comes with the wheels{without}",
            archives=archives,
            debs=debs,
        )

    @property
    def _is_default(self) -> bool:
        return self.request.shell and self.request.suite == next(iter(OWN_BASES))


def archive_of(suite: OpenSuite) -> Archive:
    """Return what the lock says about a suite."""
    return Archive(
        name=suite.suite.archive,
        suite=suite.suite.name,
        components=suite.suite.components,
        snapshot=suite.release.snapshot,
        release=suite.release.sha256,
    )


class _Layers:
    """Packages put on each other: each group is closed within itself and what lies below."""

    def __init__(
        self,
        universe: Universe,
        installed: Sequence[Package],
        unneeded: Mapping[str, frozenset[str]],
    ) -> None:
        self.universe = universe
        self._unneeded = unneeded
        self.present = {package.name: package for package in installed}

    def add(self, names: Iterable[str], *, recommends: bool = False) -> tuple[Deb, ...]:
        """Put what `names` needs beyond what is there on top, and return it.

        Raises `ResolveError`.
        """
        found = closure(
            names,
            self.universe,
            given=tuple(self.present.values()),
            recommends=recommends,
            unneeded=self._unneeded,
        )
        self.present |= {each.package.name: each.package for each in found}
        versions = {name: package.version for name, package in self.present.items()}
        return tuple(each.deb(replaced(each.package, versions)) for each in found)


def _without_scripts(present: Mapping[str, Package]) -> str:
    """Return the words on what a system without a shell does without."""
    left_out = []
    for name, needs in sorted(SCRIPTS_NEED.items()):
        if name in present:
            fields = f"{present[name].pre_depends}, {present[name].depends}"
            named = {group[0].name for group in parse_relations(fields)} & needs
            left_out += [f"{name} does without {need}" for need in sorted(named)]
    return f"; no scripts run in it, so {', '.join(left_out)}" if left_out else ""
