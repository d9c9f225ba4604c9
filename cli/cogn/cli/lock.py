"""`cogn lock`: pin everything."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import anyio

from cogn import lockfiles, resolver
from cogn.cli.output import each_platform, make_reporter, say
from cogn.lockfiles import LOCK_NAME, Environment, Lock, LockError, LockMissingError, Platform
from cogn.report import CognError, Reporter
from cogn.store import Cache, replace_file
from cogn.store.debian import Mirrors
from cogn.store.http import Fetcher

__all__ = ["run"]

_DEFAULT_PLATFORM: Platform = "linux/amd64"


def run(directory: Path, *, upgrade: bool, platforms: Sequence[Platform]) -> None:
    """Lock the project of `directory`; write its lock unless it is what it has to be already.

    Without `platforms`, they are those of the lock that is there.
    """
    begin = time.monotonic()
    with make_reporter() as reporter:
        project = resolver.Project.load(directory, reporter)
        path = project.directory / LOCK_NAME
        previous = _previous(path, reporter)
        platforms = platforms or _platforms(previous)
        lock = anyio.run(_resolve, project, platforms, previous, upgrade, reporter)
    text = lockfiles.dumps(lock).encode()
    if previous is not None and path.read_bytes() == text:
        say(f"{LOCK_NAME} is up to date: {_summary(lock)}")
        return
    replace_file(path, text)
    say(f"Locked {_summary(lock)} in {time.monotonic() - begin:.1f} s")


def _platforms(previous: Lock | None) -> Sequence[Platform]:
    return sorted(previous.environments) if previous else (_DEFAULT_PLATFORM,)


def _summary(lock: Lock) -> str:
    return each_platform(
        [(platform, _counts(each)) for platform, each in lock.environments.items()]
    )


def _counts(environment: Environment) -> str:
    wanted = f" ({len(environment.system)} for system_packages)" if environment.asked else ""
    wheels = f"{len(environment.wheels)} wheels for the model"
    return f"{len(environment.debs)} Debian packages{wanted}, {wheels}"


async def _resolve(
    project: resolver.Project,
    platforms: Sequence[Platform],
    previous: Lock | None,
    upgrade: bool,
    reporter: Reporter,
) -> Lock:
    archives = project.settings.archives
    async with Fetcher.open(Cache(), reporter) as fetcher:
        return await resolver.resolve(
            project,
            platforms=platforms,
            previous=previous,
            upgrade=upgrade,
            fetcher=fetcher,
            mirrors=Mirrors.find(archives.mirrors, pinned=archives.snapshot),
            reporter=reporter,
        )


def _previous(path: Path, reporter: Reporter) -> Lock | None:
    """Return the lock that is there; one that cannot be read is said to be and written anew."""
    try:
        return lockfiles.read(path)
    except LockMissingError:
        return None
    except CognError as error:
        if not all(isinstance(problem, LockError) for problem in error.problems):
            raise
        reporter.warn(f"{error.problems[0]}; everything is resolved anew")
        return None
