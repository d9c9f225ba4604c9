"""The system of an image: its base, what that lacks, and the packages of its Python."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from cogn.lockfiles import (
    Archive,
    Base,
    Deb,
    DebianBase,
    Environment,
    ImageBase,
    Platform,
    Python,
)
from cogn.report import Reporter, Where
from cogn.resolver.debian import Candidate, Universe, closure
from cogn.resolver.errors import ResolveError
from cogn.resolver.image import RELEASE, BaseImage, FoundImage
from cogn.store import DownloadError, HashError
from cogn.store.debian import Mirrors, OpenSuite, Package, Suite, can_fetch, open_suite
from cogn.store.http import Fetcher

__all__ = ["BASE_PACKAGES", "lock_system"]

BASE_PACKAGES = (
    # the skeleton: directories, accounts, licences, the C library and its tools
    "base-files",
    "base-passwd",
    "libc6",
    "libc-bin",
    "netbase",
    "tzdata",
    "ca-certificates",
    # PID 1 of the image
    "tini",
    # what every manylinux wheel may take for granted of the C++ and OpenMP runtimes
    "libgomp1",
    "libstdc++6",
    # what someone finds in `podman exec`; tar and gzip are what `kubectl cp` runs
    "bash",
    "coreutils",
    "dash",
    "debianutils",
    "diffutils",
    "findutils",
    "grep",
    "gzip",
    "hostname",
    "mawk",
    "ncurses-base",
    "sed",
    "tar",
)
"""The packages asked for; the base is their closure, or has it."""

_SUITES = (Suite("debian", RELEASE), Suite("debian-security", f"{RELEASE}-security"))
"""Not the updates suite: its few packages enter the release at the next point release."""

_PYTHON = "3.13"
_PYTHON_PACKAGES = (f"python{_PYTHON}",)
_INTERPRETER_LIBRARIES = ("libc6", "libexpat1", "zlib1g")
_UPSTREAM = re.compile(r"(?:\d+:)?(\d+\.\d+\.\d+)")


async def lock_system(
    *,
    python_version: str,
    platform: Platform,
    previous: Environment | None,
    upgrade: bool,
    fetcher: Fetcher,
    mirrors: Mirrors,
    reporter: Reporter,
    image: BaseImage | None = None,
) -> tuple[Base, Python]:
    """Return the packages of the base and of the interpreter `python_version` (``3.13`` or full).

    The base is `image` with what it lacks, or else made of packages alone. The packages of
    `previous`, the platform's own, stay, unless `upgrade` is asked for, as long as some place
    offers their files or nothing can be reached at all; so does the image. Raises `ResolveError`
    when the base has no such Python, `StoreError` when the archive or the image is needed and
    cannot be used.
    """
    _check_minor(python_version)
    locked = previous.base if previous and isinstance(previous.base, ImageBase) else None
    kept = None if upgrade else _reusable(previous, python_version, image)
    try:
        suites = [await open_suite(suite, fetcher=fetcher, mirrors=mirrors) for suite in _SUITES]
        if kept is not None and _is_unchanged(kept, suites):
            return kept.base, kept.python
        architecture = platform.removeprefix("linux/")
        packages = {suite.suite.archive: await suite.packages(architecture) for suite in suites}
    except DownloadError as error:
        if kept is None or isinstance(error, HashError):
            raise
        reporter.warn(
            "the Debian archive is out of reach: the packages of the lock stay as they are",
            hint=error.message,
        )
        return kept.base, kept.python
    if kept is not None and await _is_offered(kept, packages, fetcher, mirrors):
        return kept.base, kept.python
    found = await image.find(platform, locked, upgrade=upgrade) if image else None
    base, python = _resolve(Universe(packages), suites, python_version, found)
    if kept is not None:
        changes = ", ".join(_changes(kept.debs, base.debs + python.debs))
        reporter.warn(
            f"the archive dropped packages of the lock, so these are locked anew: {changes}",
            hint="a mirror that keeps old versions, set in COGN_DEBIAN_MIRROR, keeps locks alive",
        )
    return base, python


def _reusable(
    previous: Environment | None, python_version: str, image: BaseImage | None
) -> Environment | None:
    """Return `previous` if it answers what is asked today, apart from its age."""
    if previous is None or previous.base.release != RELEASE:
        return None
    if isinstance(previous.base, ImageBase):
        is_same = image is not None and image.is_locked(previous.base)
    else:
        names = {deb.name for deb in previous.debs}
        is_same = image is None and names.issuperset((*BASE_PACKAGES, *_PYTHON_PACKAGES))
    return previous if is_same and _matches(python_version, previous.python.version) else None


def _is_unchanged(kept: Environment, suites: Iterable[OpenSuite]) -> bool:
    locked = {archive.release for archive in kept.base.archives}
    return locked == {suite.release.sha256 for suite in suites}


async def _is_offered(
    kept: Environment, packages: Mapping[str, Iterable[Package]], fetcher: Fetcher, mirrors: Mirrors
) -> bool:
    """Tell whether every package of `kept` is in the indexes, or else still on some server."""
    offered = {
        (archive, package.path, package.sha256)
        for archive, content in packages.items()
        for package in content
    }
    for deb in kept.fetched_debs:
        if (deb.archive, deb.path, deb.sha256) not in offered and not await can_fetch(
            deb, kept.base.archives, fetcher=fetcher, mirrors=mirrors
        ):
            return False
    return True


def _resolve(
    universe: Universe, suites: Iterable[OpenSuite], python_version: str, image: FoundImage | None
) -> tuple[Base, Python]:
    installed = image.packages if image else ()
    base = closure(BASE_PACKAGES, universe, given=installed)
    given = [*installed, *(candidate.package for candidate in base)]
    python = closure(_PYTHON_PACKAGES, universe, given=given)
    version = _python_version(python)
    if not _matches(python_version, version):
        raise _no_such_python(python_version, version)
    archives = tuple(_archive(suite) for suite in suites)
    debs = tuple(candidate.deb for candidate in base)
    return (
        image.base(archives, debs, _interpreter(universe, installed))
        if image
        else DebianBase(
            release=RELEASE,
            reason=f"the default base, Debian {RELEASE}: CUDA, where needed, comes with the wheels",
            archives=archives,
            debs=debs,
        ),
        Python(
            version=version,
            source="distribution",
            reason="the wanted version is the base's own",
            debs=tuple(candidate.deb for candidate in python),
        ),
    )


def _interpreter(universe: Universe, installed: Iterable[Package]) -> tuple[Deb, ...]:
    """Return what an interpreter runs with, of what an image has installed.

    These packages do not go into the image: bytecode is compiled with the interpreter itself, on
    the machine that assembles, and the versions do not matter for that.
    """
    names = {package.name for package in installed}.intersection(_INTERPRETER_LIBRARIES)
    candidates = filter(None, map(universe.find, sorted(names)))
    return tuple(candidate.deb for candidate in candidates)


def _archive(suite: OpenSuite) -> Archive:
    return Archive(
        name=suite.suite.archive,
        suite=suite.suite.name,
        components=suite.suite.components,
        snapshot=suite.release.snapshot,
        release=suite.release.sha256,
    )


def _python_version(candidates: Iterable[Candidate]) -> str:
    """Return the upstream version of the interpreter among `candidates`."""
    for candidate in candidates:
        if candidate.package.name in _PYTHON_PACKAGES and (
            match := _UPSTREAM.match(candidate.package.version)
        ):
            return match[1]
    raise ResolveError(f"the archive's Python {_PYTHON} has no version that can be read")


def _check_minor(python_version: str) -> None:
    if python_version.split(".")[:2] != _PYTHON.split("."):
        raise _no_such_python(python_version, _PYTHON)


def _matches(wanted: str, version: str) -> bool:
    """Tell whether the full `version` is what ``3.13`` or ``3.13.5`` asks for."""
    return wanted == version or wanted == version.rpartition(".")[0]


def _no_such_python(wanted: str, offered: str) -> ResolveError:
    return ResolveError(
        f"Python {wanted} cannot be had: the base, Debian {RELEASE}, offers {offered}",
        where=Where("cog.yaml", key="build.python_version"),
        hint=f'set `python_version: "{_PYTHON}"`',
    )


def _changes(before: Sequence[Deb], after: Sequence[Deb]) -> list[str]:
    """Return one phrase for each package whose version differs, in the order of names."""
    old = {deb.name: deb.version for deb in before}
    new = {deb.name: deb.version for deb in after}
    return [
        f"{name} {old.get(name, '(new)')} -> {new.get(name, '(gone)')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
