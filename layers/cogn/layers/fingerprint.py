"""What a file's content is, remembered between runs so that a checkpoint is read only once."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import msgspec

from cogn.layers.compressible import compresses
from cogn.layers.errors import ChangedFileError
from cogn.store import Cache

__all__ = ["Fingerprint", "FingerprintMemo", "take_fingerprint"]

_KIND = "files-1"  # another number when `compresses` answers differently
_SETTLED = 2_000_000_000
"""Nanoseconds. The coarsest file systems keep times to two seconds."""


class Fingerprint(msgspec.Struct, frozen=True, array_like=True):
    """The hex SHA-256 of a file's content, and whether compressing it is worth while."""

    sha256: str
    compresses: bool


class _Status(msgspec.Struct, frozen=True, array_like=True):
    """What changes when a file does. Times are nanoseconds since 1970."""

    size: int
    modified: int
    changed: int
    inode: int
    device: int

    @classmethod
    def of(cls, status: os.stat_result) -> _Status:
        return cls(
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
            status.st_ino,
            status.st_dev,
        )


class _Seen(msgspec.Struct, frozen=True, array_like=True):
    status: _Status
    fingerprint: Fingerprint


class FingerprintMemo:
    """The fingerprints of the files below one directory, as of the last time they were read.

    A file is known by its size, times, inode and device. Of a file that changed right before it was
    read, these may stay the same when it changes again, so it is not remembered (git calls such
    files racily clean).
    """

    def __init__(self, cache: Cache, root: Path) -> None:
        self._cache = cache
        self._key = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()
        self._old = self._load()
        self._new: dict[str, _Seen] = {}

    def find(self, name: str, status: os.stat_result) -> Fingerprint | None:
        """Return the fingerprint of the file `name` with that status, or None."""
        seen = self._old.get(name)
        if seen is None or seen.status != _Status.of(status):
            return None
        self._new[name] = seen
        return seen.fingerprint

    def keep(self, name: str, status: os.stat_result, fingerprint: Fingerprint, at: int) -> None:
        """Remember the fingerprint of a file whose reading began at a time, as `status` says."""
        # Users can set the modification time, but a change always sets the time of change.
        latest = status.st_mtime_ns if os.name == "nt" else status.st_ctime_ns
        if latest + _SETTLED <= at:
            self._new[name] = _Seen(_Status.of(status), fingerprint)

    def save(self) -> None:
        """Write what was found and kept, and nothing about other files, for later runs."""
        if self._new != self._old:
            self._cache.set_note(_KIND, self._key, self._new)

    @staticmethod
    def forget_all(cache: Cache) -> None:
        """Remove the fingerprints of all directories: one of them was found to be wrong."""
        cache.drop_notes(_KIND)

    def _load(self) -> dict[str, _Seen]:
        note = self._cache.note(_KIND, self._key)
        try:
            return msgspec.json.decode(note, type=dict[str, _Seen]) if note else {}
        except msgspec.DecodeError:  # damaged, or of another version
            return {}


def take_fingerprint(path: Path, *, large: int) -> tuple[os.stat_result, Fingerprint, int]:
    """Return the file's status, its fingerprint, and when reading it began (ns since 1970).

    A file of at most `large` bytes is compressed in any case, together with others. Raises
    `ChangedFileError` when the file changes meanwhile, `OSError` when it cannot be read.
    """
    at = time.time_ns()
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        fingerprint = Fingerprint(
            hashlib.file_digest(file, "sha256").hexdigest(),
            status.st_size <= large or compresses(file, status.st_size),
        )
        if _Status.of(os.fstat(file.fileno())) != _Status.of(status):
            raise ChangedFileError(path)
    return status, fingerprint, at
