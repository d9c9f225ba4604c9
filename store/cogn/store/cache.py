"""The content-addressed cache that all projects of a user share.

::

    <root>/
      blobs/sha256/ab/ab12…   wheels, packages, layers: a file's name is its content's hash
      notes/<kind>/<key>      small JSON facts that can always be found out again
      locks/                  see `locks`
      tmp/                    files being written; a killed process may leave one behind

A blob appears under its name in one rename and never changes, so any number of processes can use
one cache without locks: two that make the same blob make the same file. A blob that was changed all
the same is noticed when it is asked for (see `intact`) and treated as if it were not there.

The access time of a blob and the modification time of a note say, to a day, when they were used.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO

import msgspec
import platformdirs

from cogn.report import Task
from cogn.store.errors import HashError, StoreError
from cogn.store.intact import hash_of, is_intact, mark_intact
from cogn.store.locks import exclusive

__all__ = ["DAY", "BlobWriter", "Cache", "default_cache_root"]

DAY = 86_400.0
"""In seconds."""


def default_cache_root() -> Path:
    """Return ``$COGN_CACHE``, or the place where this platform keeps a user's caches."""
    if configured := os.environ.get("COGN_CACHE"):
        return Path(configured)
    return Path(platformdirs.user_cache_dir("cogn", appauthor=False))


class BlobWriter:
    """Takes a blob's bytes in order and knows their hash and size at any time."""

    def __init__(self, file: IO[bytes], root: Path) -> None:
        self._file = file
        self._root = root
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append `data`; raises `StoreError` when the cache takes no more."""
        with _explained(self._root):
            self._file.write(data)
        self._hash.update(data)
        self.size += len(data)

    @property
    def sha256(self) -> str:
        """The hex SHA-256 of what was written so far."""
        return self._hash.hexdigest()


class Cache:
    """The cache below one directory. Creating the object touches nothing."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = default_cache_root() if root is None else root
        self._hashed: set[str] = set()
        self._is_swept = False

    def path(self, sha256: str) -> Path:
        """Return where the blob is or would be."""
        return self.root / "blobs" / "sha256" / sha256[:2] / sha256

    def find(self, sha256: str) -> Path | None:
        """Return the blob's path, or None when it is not here; one that was changed is removed."""
        path = self.path(sha256)
        if not is_intact(path, sha256):
            self.discard(sha256)
            return None
        _touch(path)
        return path

    def check(self, sha256: str) -> None:
        """Remove the blob if it is damaged. It is read, unless this object did so before."""
        if sha256 in self._hashed:
            return
        with suppress(OSError):  # what cannot be read is as good as damaged
            if hash_of(self.path(sha256)) == sha256:
                self._hashed.add(sha256)
                return
        self.discard(sha256)

    def discard(self, sha256: str) -> None:
        """Remove the blob, if it is here."""
        self._hashed.discard(sha256)
        with suppress(OSError):
            self.path(sha256).unlink()

    @contextmanager
    def blob(self, *, expect: str | None = None, what: str = "blob") -> Iterator[BlobWriter]:
        """Give a writer whose content is in the cache when the block ends without an exception.

        Raises `HashError` at the end, and keeps nothing, when the hash is not `expect`; `what` is
        the blob's name for that message.
        """
        with self._temporary() as (file, temporary):
            writer = BlobWriter(file, self.root)
            yield writer
            if expect is not None and writer.sha256 != expect:
                msg = (
                    f"{what} is not what the lock names: "
                    f"expected sha256 {expect}, got {writer.sha256}"
                )
                raise HashError(msg)
            target = self.path(writer.sha256)
            with _explained(self.root):
                file.close()
                target.parent.mkdir(parents=True, exist_ok=True)
                mark_intact(temporary)
                temporary.chmod(0o444)
                temporary.replace(target)
            self._hashed.add(writer.sha256)

    def add(self, data: bytes) -> str:
        """Keep `data`; return its hex SHA-256."""
        with self.blob() as writer:
            writer.write(data)
        return writer.sha256

    def note(self, kind: str, key: str) -> bytes | None:
        """Return the note of that kind and key (a file name), or None."""
        path = self.root / "notes" / kind / key
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > DAY:
                path.touch()
        return content

    def set_note(self, kind: str, key: str, content: object) -> None:
        """Write a note as JSON, in place of an earlier one."""
        target = self.root / "notes" / kind / key
        with self._temporary() as (file, temporary), _explained(self.root):
            file.write(msgspec.json.encode(content))
            file.close()
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(target)

    def notes(self, kind: str) -> Iterator[bytes]:
        """Yield all notes of a kind."""
        with suppress(FileNotFoundError):
            for path in sorted((self.root / "notes" / kind).iterdir()):
                yield path.read_bytes()

    def drop_notes(self, kind: str) -> None:
        """Remove all notes of a kind."""
        shutil.rmtree(self.root / "notes" / kind, ignore_errors=True)

    def lock(self, name: str, waiting: Task) -> AbstractAsyncContextManager[None]:
        """Return the lock of that name (see `exclusive`), to hold while making what it names."""
        return exclusive(self.root / "locks" / name, waiting)

    @contextmanager
    def _temporary(self) -> Iterator[tuple[IO[bytes], Path]]:
        directory = self.root / "tmp"
        with _explained(self.root):
            directory.mkdir(parents=True, exist_ok=True)
            self._sweep(directory)
            handle, name = tempfile.mkstemp(dir=directory)
        file = os.fdopen(handle, "wb")
        try:
            yield file, Path(name)
        finally:
            with suppress(OSError):  # who keeps the file has closed it already
                file.close()
            with suppress(FileNotFoundError):
                Path(name).unlink()

    def _sweep(self, directory: Path) -> None:
        """Remove what killed processes left behind; nobody writes one file for a day."""
        if self._is_swept:
            return
        self._is_swept = True
        for path in directory.iterdir():
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > DAY:
                    path.unlink()


@contextmanager
def _explained(root: Path) -> Iterator[None]:
    """Turn what the file system says about writing into `StoreError`."""
    try:
        yield
    except OSError as error:
        is_full = error.errno in {errno.EDQUOT, errno.EFBIG, errno.ENOSPC}
        raise StoreError(
            f"the cache at `{root}` cannot be written: {error.strerror}",
            hint="make room, with `cogn cache prune` for one"
            if is_full
            else "set COGN_CACHE to a directory of yours",
        ) from error


def _touch(path: Path) -> None:
    """Note in the blob's access time that it was used, unless it says so to a day."""
    with suppress(OSError):
        status = path.stat()
        if time.time() - status.st_atime > DAY:
            os.utime(path, ns=(time.time_ns(), status.st_mtime_ns))
