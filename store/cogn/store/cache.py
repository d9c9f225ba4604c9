"""The content-addressed cache that all projects of a user share.

::

    <root>/
      blobs/sha256/ab/ab12…   wheels, packages, layers: a file's name is its content's hash
      notes/<kind>/<key>      small JSON facts that can always be found out again
      tmp/                    files being written; a killed process may leave one behind

A blob appears under its name in one rename and never changes, so any number of processes can use
one cache without locks: two that make the same blob make the same file.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import msgspec
import platformdirs

from cogn.store.errors import HashError, StoreError

__all__ = ["BlobWriter", "Cache", "default_cache_root"]


def default_cache_root() -> Path:
    """Return ``$COGN_CACHE``, or the place where this platform keeps a user's caches."""
    if configured := os.environ.get("COGN_CACHE"):
        return Path(configured)
    return Path(platformdirs.user_cache_dir("cogn", appauthor=False))


class BlobWriter:
    """Takes a blob's bytes in order and knows their hash and size at any time."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append `data`."""
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

    def path(self, sha256: str) -> Path:
        """Return where the blob is or would be."""
        return self.root / "blobs" / "sha256" / sha256[:2] / sha256

    def find(self, sha256: str) -> Path | None:
        """Return the blob's path, or None when it is not here."""
        path = self.path(sha256)
        return path if path.is_file() else None

    @contextmanager
    def blob(self, *, expect: str | None = None, what: str = "blob") -> Iterator[BlobWriter]:
        """Give a writer whose content is in the cache when the block ends without an exception.

        Raises `HashError` at the end, and keeps nothing, when the hash is not `expect`; `what` is
        the blob's name for that message.
        """
        with self._temporary() as (file, temporary):
            writer = BlobWriter(file)
            yield writer
            file.close()
            if expect is not None and writer.sha256 != expect:
                msg = (
                    f"{what} is not what the lock names: "
                    f"expected sha256 {expect}, got {writer.sha256}"
                )
                raise HashError(msg)
            target = self.path(writer.sha256)
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.chmod(0o444)
            temporary.replace(target)

    def add(self, data: bytes) -> str:
        """Keep `data`; return its hex SHA-256."""
        with self.blob() as writer:
            writer.write(data)
        return writer.sha256

    def note(self, kind: str, key: str) -> bytes | None:
        """Return the note of that kind and key (a file name), or None."""
        try:
            return (self.root / "notes" / kind / key).read_bytes()
        except FileNotFoundError:
            return None

    def set_note(self, kind: str, key: str, content: object) -> None:
        """Write a note as JSON, in place of an earlier one."""
        directory = self.root / "notes" / kind
        directory.mkdir(parents=True, exist_ok=True)
        with self._temporary() as (file, temporary):
            file.write(msgspec.json.encode(content))
            file.close()
            temporary.replace(directory / key)

    @contextmanager
    def _temporary(self) -> Iterator[tuple[IO[bytes], Path]]:
        directory = self.root / "tmp"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=directory)
        except OSError as error:
            msg = f"the cache at `{self.root}` cannot be written: {error.strerror}"
            raise StoreError(msg, hint="set COGN_CACHE to a directory of yours") from error
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file, temporary
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()
