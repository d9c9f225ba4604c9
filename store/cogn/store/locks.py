"""Locks between processes: long work that two want done is done by one.

A lock is a file that is locked (flock(2)), so it ends with the process that holds it, however that
ends. It saves work and nothing depends on it: where the platform or the file system has no such
locks, everybody goes ahead.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio

from cogn.report import Task

__all__ = ["exclusive"]

_INTERVAL = 0.1


@asynccontextmanager
async def exclusive(path: Path, waiting: Task) -> AsyncIterator[None]:
    """Hold the lock `path` during the block; the task `waiting` runs while another holds it."""
    lock = _Lock(path)
    if not lock.acquire():
        with waiting:
            while not lock.acquire():  # noqa: ASYNC110  # a process tells no event
                await anyio.sleep(_INTERVAL)
    try:
        yield
    finally:
        lock.release()


class _Lock:
    """A lock file, which is there as long as somebody holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Take the lock, or tell that another has it."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:
            return True
        if not _try_lock(handle) or not self._is_current(handle):
            os.close(handle)
            return False
        self._handle = handle
        return True

    def release(self) -> None:
        """Let go of the lock, and remove the file while nobody else can hold it."""
        if self._handle is not None:
            with suppress(OSError):
                self._path.unlink()
            os.close(self._handle)

    def _is_current(self, handle: int) -> bool:
        """Tell whether the file is still at its path: the last holder may have removed it."""
        try:
            return os.path.samestat(os.fstat(handle), self._path.stat())
        except FileNotFoundError:
            return False


if sys.platform == "win32":

    def _try_lock(handle: int) -> bool:
        return True

else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # this file system has no locks
            pass
        return True
