"""The system of an image: the packages of its Debian base and of its Python."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from cogn.lockfiles import Archive, Base, Deb, Environment, Platform, Python
from cogn.report import Reporter, Where
from cogn.resolver.debian import Candidate, Universe, closure
from cogn.resolver.errors import ResolveError
from cogn.store import DownloadError, HashError
from cogn.store.debian import Mirrors, OpenSuite, Package, Suite, can_fetch, open_suite
from cogn.store.http import Fetcher

__all__ = ["BASE_PACKAGES", "RELEASE", "lock_system"]

RELEASE = "trixie"
"""The code name of the Debian release that bases are made of."""

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
"""The packages asked for; the base is their closure."""

_SUITES = (Suite("debian", RELEASE), Suite("debian-security", f"{RELEASE}-security"))
"""Not the updates suite: its few packages enter the release at the next point release."""

_PYTHON = "3.13"
_PYTHON_PACKAGES = (f"python{_PYTHON}",)
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
) -> tuple[Base, Python]:
    """Return the packages of the base and of the interpreter `python_version` (``3.13`` or full).

    The packages of `previous`, the platform's own, stay, unless `upgrade` is asked for, as long as
    some place offers their files or nothing can be reached at all. Raises `ResolveError` when the
    base has no such Python, `StoreError` when the archive is needed and cannot be used.
    """
    _check_minor(python_version)
    kept = None if upgrade else _reusable(previous, python_version)
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
    base, python = _resolve(Universe(packages), suites, python_version)
    if kept is not None:
        changes = ", ".join(_changes(kept.debs, base.debs + python.debs))
        reporter.warn(
            f"the archive dropped packages of the lock, so these are locked anew: {changes}",
            hint="a mirror that keeps old versions, set in COGN_DEBIAN_MIRROR, keeps locks alive",
        )
    return base, python


def _reusable(previous: Environment | None, python_version: str) -> Environment | None:
    """Return `previous` if it answers what is asked today, apart from its age."""
    if previous is None or previous.base.release != RELEASE:
        return None
    names = {deb.name for deb in previous.debs}
    if not names.issuperset((*BASE_PACKAGES, *_PYTHON_PACKAGES)):
        return None
    return previous if _matches(python_version, previous.python.version) else None


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
    for deb in kept.debs:
        if (deb.archive, deb.path, deb.sha256) not in offered and not await can_fetch(
            deb, kept.base.archives, fetcher=fetcher, mirrors=mirrors
        ):
            return False
    return True


def _resolve(
    universe: Universe, suites: Iterable[OpenSuite], python_version: str
) -> tuple[Base, Python]:
    base = closure(BASE_PACKAGES, universe)
    given = [candidate.package for candidate in base]
    python = closure(_PYTHON_PACKAGES, universe, given=given)
    version = _python_version(python)
    if not _matches(python_version, version):
        raise _no_such_python(python_version, version)
    return (
        Base(
            kind="debian",
            release=RELEASE,
            reason=f"the default base, Debian {RELEASE}: CUDA, where needed, comes with the wheels",
            archives=tuple(_archive(suite) for suite in suites),
            debs=tuple(candidate.deb for candidate in base),
        ),
        Python(
            version=version,
            source="debian",
            reason="the wanted version is the base's own",
            debs=tuple(candidate.deb for candidate in python),
        ),
    )


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
