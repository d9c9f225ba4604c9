"""Locking the system of an image, and what of an earlier lock stays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from cogn.lockfiles import (
    Base,
    Deb,
    Environment,
    ImageBase,
    Platform,
    Python,
    StandalonePython,
)
from cogn.report import Reporter, Where
from cogn.resolver.base import BASE_PACKAGES, ESSENCE
from cogn.resolver.composed import ComposedSystem
from cogn.resolver.composition import Composition, System, SystemRequest
from cogn.resolver.errors import UnsupportedError
from cogn.resolver.image import BaseImage
from cogn.resolver.pythons import PythonBuilds
from cogn.resolver.releases import PythonSource, Release
from cogn.resolver.wanted import WantedPackage
from cogn.store import DownloadError, HashError
from cogn.store.debian import Mirrors, OpenSuite, Packages, can_fetch, known_archive, open_suite
from cogn.store.http import Fetcher
from cogn.store.offline import Failures
from cogn.store.tasks import later, task_group

__all__ = ["System", "SystemRequest", "lock_system"]


async def lock_system(
    request: SystemRequest,
    *,
    platform: Platform,
    previous: Environment | None,
    upgrade: bool,
    fetcher: Fetcher,
    mirrors: Mirrors,
    reporter: Reporter,
    image: BaseImage | None = None,
) -> System:
    """Return the packages that answer `request`.

    The base is `image` with what it lacks, or else made of packages alone. The packages of
    `previous`, the platform's own, stay, unless `upgrade` is asked for or the mirrors are pinned to
    another moment: all of them as long as some place offers their files or nothing can be reached
    at all, and when something else is asked for, those that the archive still lists. So does the
    image. Without a network no archive is asked at all, unless what is locked does not answer the
    request. Raises `ResolveError` when what is asked for cannot be had, `StoreError` when an
    archive or the image is needed and cannot be used.
    """
    architecture = platform.removeprefix("linux/")
    _check_architectures(request.packages, architecture)
    locked = previous.base if previous and isinstance(previous.base, ImageBase) else None
    kept = None if upgrade else _reusable(previous, request, image)
    if kept is not None and fetcher.offline:
        reporter.note("the Debian packages of the lock stay as they are: no archive was asked")
        return System(kept.base, kept.python, kept.system, kept.asked)
    found = None
    if kept is not None:
        release = _release_of(kept.base)
    elif image is not None:
        found = await image.find(platform, locked, upgrade=upgrade)
        release = found.release
    else:
        release = Release("debian", request.suite)
    is_free = upgrade or mirrors.pinned is not None
    is_same = previous is not None and _release_of(previous.base) == release
    before = previous.debs if previous is not None and is_same and not is_free else ()
    pythons = composed = None
    try:
        suites = await _opened(release, architecture, previous, fetcher, mirrors)
        if kept is not None and _is_unchanged(kept, suites):
            return System(kept.base, kept.python, kept.system, kept.asked)
        if kept is None and found is None and not before:  # then nothing else decides
            pythons = await PythonBuilds.known(platform, previous, fetcher, upgrade=upgrade)
            composed = ComposedSystem(fetcher.cache, request, platform, suites, pythons)
            if (system := composed.find()) is not None:
                return system
        offered = await _offered(suites, architecture, fetcher)
    except DownloadError as error:
        if kept is None or isinstance(error, HashError):
            raise
        reporter.warn(
            "the archive is out of reach: the packages of the lock stay as they are",
            hint=error.message,
        )
        return System(kept.base, kept.python, kept.system, kept.asked)
    if kept is not None and not is_free and await _is_offered(kept, offered, fetcher, mirrors):
        return System(kept.base, kept.python, kept.system, kept.asked)
    if image is not None and found is None:
        found = await image.find(platform, locked, upgrade=upgrade)
    if pythons is None:
        pythons = await PythonBuilds.known(platform, previous, fetcher, upgrade=upgrade)
    composition = Composition(request, release, suites, offered, found, pythons)
    system = composition.system(before)
    if composed is not None:
        composed.keep(system)
    if changes := ", ".join(_changes(before, system.debs)):
        variable = known_archive(suites[0].suite.archive).variable
        reporter.warn(
            f"these packages of the lock are locked anew, as the archive dropped them or others "
            f"need it: {changes}",
            hint=f"a mirror that keeps old versions, set in {variable}, keeps locks alive",
        )
    return system


def _check_architectures(packages: Iterable[WantedPackage], architecture: str) -> None:
    for package in packages:
        if package.architecture not in {None, architecture, "native"}:
            raise UnsupportedError(
                f"`{package}`: an image of {architecture} has packages of no other architecture",
                where=Where("cog.yaml", key="build.system_packages"),
                hint=f"write `{package.name}`",
            )


def _reusable(
    previous: Environment | None, request: SystemRequest, image: BaseImage | None
) -> Environment | None:
    """Return `previous` if it answers what is asked today, apart from its age."""
    if previous is None or previous.asked != request.asked:
        return None
    base = previous.base
    if isinstance(base, ImageBase):
        is_same = image is not None and image.is_locked(base)
    else:
        own = (request.suite, request.shell)
        names = {deb.name for deb in previous.debs}
        is_same = (
            image is None
            and (base.release, base.shell) == own
            and names.issuperset(BASE_PACKAGES if request.shell else ESSENCE)
        )
    is_same = is_same and request.python_source in {None, _source_of(previous.python)}
    return previous if is_same and request.accepts(previous.python.version) else None


def _source_of(python: Python) -> PythonSource:
    return "standalone" if isinstance(python, StandalonePython) else "distribution"


def _release_of(base: Base) -> Release:
    """Return the release that a locked base is of."""
    return Release(known_archive(base.archives[0].name).distribution, base.release)


async def _opened(
    release: Release,
    architecture: str,
    previous: Environment | None,
    fetcher: Fetcher,
    mirrors: Mirrors,
) -> list[OpenSuite]:
    """Return the suites of a release, none older than what `previous` has of it."""
    locked = {
        (archive.name, archive.suite): archive.snapshot
        for archive in (previous.base.archives if previous else ())
    }
    failures = Failures(collects=fetcher.offline)
    async with task_group() as tasks:
        suites = [
            later(
                tasks,
                failures.of(
                    partial(
                        open_suite,
                        suite,
                        fetcher=fetcher,
                        mirrors=mirrors,
                        locked=locked.get((suite.archive, suite.name)),
                    )
                ),
            )
            for suite in release.suites(architecture)
        ]
    failures.raise_if_any()
    return [suite.value for suite in suites]


def _is_unchanged(kept: Environment, suites: Iterable[OpenSuite]) -> bool:
    locked = {archive.release for archive in kept.base.archives}
    return locked == {suite.release.sha256 for suite in suites}


async def _offered(
    suites: Sequence[OpenSuite], architecture: str, fetcher: Fetcher
) -> list[tuple[str, Packages]]:
    """Return what each suite offers, with the name of its archive."""
    failures = Failures(collects=fetcher.offline)
    async with task_group() as tasks:
        indexes = [
            later(tasks, failures.of(partial(suite.packages, architecture))) for suite in suites
        ]
    failures.raise_if_any()
    return [
        (suite.suite.archive, index.value) for suite, index in zip(suites, indexes, strict=True)
    ]


async def _is_offered(
    kept: Environment,
    offered: Sequence[tuple[str, Packages]],
    fetcher: Fetcher,
    mirrors: Mirrors,
) -> bool:
    """Tell whether every package of `kept` is in the indexes, or else still on some server."""
    for deb in kept.fetched_debs:
        listed = any(
            (package.path, package.sha256) == (deb.path, deb.sha256)
            for archive, packages in offered
            if archive == deb.archive
            for package in packages.named(deb.name)
        )
        if listed:
            continue
        if not await can_fetch(deb, kept.base.archives, fetcher=fetcher, mirrors=mirrors):
            return False
    return True


def _changes(before: Sequence[Deb], after: Sequence[Deb]) -> list[str]:
    """Return one phrase for each package whose version differs, in the order of names."""
    old = {deb.name: deb.version for deb in before}
    new = {deb.name: deb.version for deb in after}
    return [
        f"{name} {old[name]} -> {new[name]}"
        for name in sorted(old.keys() & new.keys())
        if old[name] != new[name]
    ]
