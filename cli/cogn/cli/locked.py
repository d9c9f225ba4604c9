"""The lock of a project, for the commands that go by it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cogn import lockfiles
from cogn.lockfiles import LOCK_NAME, Lock, Platform, PlatformMissingError
from cogn.resolver import Brief

__all__ = ["chosen_platforms", "fresh_lock"]


def fresh_lock(root: Path, brief: Brief) -> Lock:
    """Return the project's lock; raises `StaleLockError` when it answers other inputs."""
    lock = lockfiles.read(root / LOCK_NAME)
    if brief.is_stale(lock):
        from cogn.layers import StaleLockError  # late: who locks needs nothing else of it

        raise StaleLockError(
            f"`{LOCK_NAME}` is out of date: cog.yaml, cogn.toml or the requirements have changed",
            hint="run `cogn lock`, look at the difference and commit it",
        )
    return lock


def chosen_platforms(lock: Lock, wanted: Sequence[Platform]) -> Sequence[Platform]:
    """Return the platforms that are wanted, or all of the lock's.

    Raises `PlatformMissingError` for one that the lock does not have.
    """
    locked = sorted(lock.environments)
    if missing := [platform for platform in wanted if platform not in locked]:
        raise PlatformMissingError(
            f"`{LOCK_NAME}` is for {' and '.join(locked)}, not for {' and '.join(missing)}",
            hint=f"run `cogn lock --platform {','.join(sorted({*locked, *missing}))}`",
        )
    return wanted or locked
