"""`cogn lock`: pin everything."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio

from cogn import lockfiles, resolver
from cogn.cli.locked import chosen_platforms, fresh_lock
from cogn.cli.offline import network
from cogn.cli.output import each_platform, make_reporter, say
from cogn.lockfiles import LOCK_NAME, Environment, Lock, LockError, LockMissingError, Platform
from cogn.report import CognError, Reporter
from cogn.store import Cache, replace_file
from cogn.store.debian import Mirrors
from cogn.store.http import Fetcher
from cogn.store.runtime import runtime_wheel

__all__ = ["Options", "check", "run"]

_DEFAULT_PLATFORM: Platform = "linux/amd64"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asks for."""

    upgrade: bool
    upgrade_only: frozenset[str]
    """The packages to upgrade, by normalised names."""
    exclude_newer: str | None
    """The moment, as RFC 3339 writes it, after which packages do not count."""
    platforms: Sequence[Platform]
    """None of them: those of the lock that is there."""
    offline: bool


def run(directory: Path, options: Options) -> Lock:
    """Lock the project of `directory`; write its lock unless it is what it has to be already."""
    offline = options.offline
    if offline and (options.upgrade or options.upgrade_only):
        raise CognError(
            "`--upgrade` takes what is newest today, and `--offline` forbids asking for it",
            hint="leave out one of them",
        )
    begin = time.monotonic()
    with make_reporter() as reporter, network(offline=offline):
        project = resolver.Project.load(directory, reporter)
        path = project.directory / LOCK_NAME
        previous = _previous(path, reporter)
        lock = anyio.run(_resolve, project, previous, options, reporter)
    text = lockfiles.dumps(lock).encode()
    if previous is not None and path.read_bytes() == text:
        say(f"{LOCK_NAME} is up to date: {_summary(lock)}")
        return lock
    replace_file(path, text)
    say(f"Locked {_summary(lock)} in {time.monotonic() - begin:.1f} s")
    return lock


def check(directory: Path, platforms: Sequence[Platform]) -> None:
    """Say that the project's lock is current; nothing is written, and nobody is asked.

    Raises `LockMissingError`, `StaleLockError` or `PlatformMissingError`, which say why it is not.
    """
    with make_reporter() as reporter:
        root, brief = resolver.read_brief(directory, Cache(), reporter)
    lock = fresh_lock(root, brief)
    chosen_platforms(lock, platforms)
    runtime = runtime_wheel()
    for environment in lock.environments.values():
        if all(wheel.sha256 != runtime.sha256 for wheel in environment.server):
            from cogn.layers import StaleLockError  # late: who locks needs nothing else of it

            raise StaleLockError(
                f"`{LOCK_NAME}` has another {runtime.name} than the {runtime.version} that this "
                "cogn brings",
                hint="run `cogn lock`, or use the cogn that wrote the lock",
            )
    say(f"{LOCK_NAME} is current: {_summary(lock)}")


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
    project: resolver.Project, previous: Lock | None, options: Options, reporter: Reporter
) -> Lock:
    archives = project.settings.archives
    async with Fetcher.open(Cache(), reporter, offline=options.offline) as fetcher:
        return await resolver.resolve(
            project,
            platforms=options.platforms or _platforms(previous),
            previous=previous,
            upgrade=options.upgrade,
            upgrade_only=options.upgrade_only,
            exclude_newer=options.exclude_newer,
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
