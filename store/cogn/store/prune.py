"""What a cache holds, and making room in it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cogn.store.cache import DAY, Cache
from cogn.store.errors import StoreError

__all__ = ["StoredFile", "prune", "stored_blobs", "stored_notes"]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a cache; `name` is the SHA-256 of a blob, or the key of a note."""

    path: Path
    name: str
    size: int
    """In bytes."""
    used: float
    """When it was last used, to a day, in seconds since 1970."""


def stored_blobs(cache: Cache) -> Iterator[StoredFile]:
    """Yield the blobs of a cache."""
    for path, status in _files(cache.root / "blobs"):
        yield StoredFile(path, path.name, status.st_size, status.st_atime)


def stored_notes(cache: Cache) -> Iterator[StoredFile]:
    """Yield the notes of a cache, of all kinds."""
    for path, status in _files(cache.root / "notes"):
        yield StoredFile(path, path.name, status.st_size, status.st_mtime)


def prune(cache: Cache, unused_for: float) -> list[StoredFile]:
    """Remove blobs and notes that were not used for so many seconds; return what was removed.

    What killed processes left half written goes with them after a day. A note about a blob that is
    gone stays as long as it is used: with it, a layer that a registry has is not made again. Raises
    `StoreError` when the cache cannot be changed.
    """
    now = time.time()
    removed = []
    try:
        for stored in (*stored_blobs(cache), *stored_notes(cache)):
            if now - stored.used >= unused_for:
                stored.path.unlink(missing_ok=True)
                removed.append(stored)
        for part in ("tmp", "locks"):
            for path, status in _files(cache.root / part):
                if now - status.st_mtime >= min(unused_for, DAY):
                    path.unlink(missing_ok=True)
    except OSError as error:
        msg = f"the cache at `{cache.root}` cannot be changed: {error.strerror}"
        raise StoreError(msg) from error
    return removed


def _files(directory: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for above, _, names in os.walk(directory):
        for name in sorted(names):
            path = Path(above, name)
            with suppress(FileNotFoundError):
                yield path, path.lstat()
