"""Which Python an image gets: its distribution's own, or a build that runs on every base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace
from packaging.version import Version

from cogn.lockfiles import Environment, Platform, StandalonePython
from cogn.report import Where
from cogn.resolver.errors import ResolveError
from cogn.resolver.matrix import load_matrix
from cogn.resolver.releases import PythonSource
from cogn.resolver.root import SETTINGS_NAME
from cogn.store.http import Fetcher
from cogn.store.standalone import DOWNLOADS, StandaloneBuild, listed_builds

__all__ = ["PythonBuilds", "WantedPython", "accepts"]

_PLACE = Where("cog.yaml", key="build.python_version")


def accepts(wanted: str, version: str) -> bool:
    """Tell whether a full version is what ``3.13`` or ``3.13.5`` asks for."""
    return wanted in {version, version.rpartition(".")[0]}


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedPython:
    """The Python that is asked for, and what the base's distribution, named as people do, has."""

    version: str
    """Minor, such as ``3.13``, or full."""
    source: PythonSource | None
    """Where it has to come from, if cogn.toml says so."""
    release: str
    offered: str | None
    """The full version of the distribution's own; None for one without Python 3."""

    @property
    def is_offered(self) -> bool:
        """Whether the distribution's own is taken: if it fits, unless another is asked for.

        Raises `ResolveError` when it has to be and does not fit.
        """
        fits = self.offered is not None and accepts(self.version, self.offered)
        if self.source == "distribution" and not fits:
            minor = (self.offered or "").rpartition(".")[0]
            ways = [f"remove `python` from {SETTINGS_NAME}"]
            if minor:
                ways.insert(0, f'set `python_version: "{minor}"`')
            raise ResolveError(
                f"Python {self.version} cannot be had: {self._has}, and {SETTINGS_NAME} asks for "
                "the distribution's own",
                where=_PLACE,
                hint=", or ".join(ways),
            )
        return fits and self.source != "standalone"

    @property
    def reason(self) -> str:
        """Why another is taken, for the lock."""
        if self.source == "standalone":
            return f"{SETTINGS_NAME} asks for it"
        return f"{self._has}; {self.version} is wanted"

    @property
    def _has(self) -> str:
        if self.offered is None:
            return f"{self.release} has no Python 3"
        parts = len(self.version.split("."))
        return f"{self.release} has {'.'.join(self.offered.split('.')[:parts])}"


@dataclass(frozen=True, slots=True)
class PythonBuilds:
    """The builds for one platform. Make it with `known`."""

    builds: Mapping[str, StandalonePython]
    """By full version."""
    kept: StandalonePython | None
    """The one of an earlier lock, which stays where it fits."""

    @classmethod
    async def known(
        cls, platform: Platform, previous: Environment | None, fetcher: Fetcher, *, upgrade: bool
    ) -> PythonBuilds:
        """Return the builds of the list that the user names, or else those that cogn knows.

        The one of `previous`, the platform's own, stays unless `upgrade` is asked for. Raises
        `DownloadError` when the list cannot be had.
        """
        listed = await listed_builds(fetcher)
        builds = _known(platform) if listed is None else _listed(listed, platform)
        kept = previous.python if previous and not upgrade else None
        return cls(builds, kept if isinstance(kept, StandalonePython) else None)

    def find(self, wanted: WantedPython) -> StandalonePython:
        """Return the newest build that fits; raises `ResolveError` when there is none."""
        if self.kept is not None and accepts(wanted.version, self.kept.version):
            return replace(self.kept, reason=wanted.reason)
        fitting = [version for version in self.builds if accepts(wanted.version, version)]
        if not fitting:
            raise self._none_fits(wanted)
        return replace(self.builds[max(fitting, key=Version)], reason=wanted.reason)

    def _none_fits(self, wanted: WantedPython) -> ResolveError:
        offered = {wanted.offered} if wanted.offered and wanted.source is None else set()
        nearest = _nearest(wanted.version, sorted({*self.builds, *offered}, key=Version))
        ways = [f'set `python_version: "{nearest[0]}"`'] if nearest else []
        ways.append(f"name a list with newer builds, as uv takes it, in {DOWNLOADS}")
        return ResolveError(
            f"Python {wanted.version} cannot be had: neither the base's distribution, "
            f"{wanted.release}, has it nor a build of python-build-standalone"
            + (f"; the nearest that can be had: {', '.join(nearest)}" if nearest else ""),
            where=_PLACE,
            hint=", or ".join(ways),
        )


def _nearest(wanted: str, versions: Sequence[str]) -> list[str]:
    """Return the last of sorted versions that is older than `wanted`, and the first newer one."""
    asked = Version(wanted)
    older = [version for version in versions if Version(version) < asked][-1:]
    newer = [version for version in versions if Version(version) > asked][:1]
    return older + newer


def _known(platform: Platform) -> dict[str, StandalonePython]:
    """Return the builds of the matrix, which has one of each version."""
    return {
        build.version: StandalonePython(
            version=build.version,
            reason="",
            release=build.release,
            file=build.file(platform),
            sha256=build.sha256[platform],
        )
        for build in load_matrix().pythons
        if platform in build.sha256
    }


def _listed(builds: Sequence[StandaloneBuild], platform: Platform) -> dict[str, StandalonePython]:
    """Return the newest build of each version."""
    return {
        build.version: StandalonePython(
            version=build.version,
            reason="",
            release=build.release,
            file=build.file,
            sha256=build.sha256,
        )
        for build in sorted(builds, key=lambda build: build.release)
        if build.platform == platform
    }
