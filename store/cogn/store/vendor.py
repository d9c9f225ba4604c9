"""A directory with the files that a lock names, for machines without a network.

::

    <root>/
      cogn-vendor.json     says what this is, so that it is never taken for a part of the source
      wheels/…             and so on: which paths there are is for the caller to say

Nothing in it is trusted: a file is read only if it lies in the directory, and its hash decides.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from cogn.report import Reporter
from cogn.store.cache import Cache
from cogn.store.errors import HashError, VendorError
from cogn.store.files import place_file, replace_file
from cogn.store.intact import hash_of
from cogn.store.tasks import task_group

__all__ = ["VENDOR_MARK", "VendorDirectory"]

VENDOR_MARK = "cogn-vendor.json"
"""The file at the top of every such directory."""

_FORMAT = 1
_PARALLEL = 4
_PIECE = 1 << 20
_MAKE = "make it with `cogn vendor` where there is a network"


class _Mark(msgspec.Struct, frozen=True):
    """What is in the file that marks a directory."""

    format: int


class VendorDirectory:
    """The files of one lock in such a directory. Make it with `opened` or `made`.

    `paths` are relative, by the SHA-256 of what belongs there.
    """

    def __init__(self, root: Path, paths: Mapping[str, str], reporter: Reporter) -> None:
        self._root = root
        self._paths = paths
        self._reporter = reporter

    @classmethod
    def opened(cls, root: Path, paths: Mapping[str, str], reporter: Reporter) -> VendorDirectory:
        """Return the directory to read from; raises `VendorError` when it is none."""
        try:
            mark = msgspec.json.decode((root / VENDOR_MARK).read_bytes(), type=_Mark)
        except FileNotFoundError as error:
            raise VendorError(
                f"`{root}` is no directory that `cogn vendor` made", hint=_MAKE
            ) from error
        except (OSError, msgspec.MsgspecError) as error:
            raise VendorError(
                f"`{root / VENDOR_MARK}` cannot be read: {error}", hint=_MAKE
            ) from error
        if mark.format != _FORMAT:
            raise VendorError(
                f"`{root}` has format {mark.format}, and this cogn reads {_FORMAT}", hint=_MAKE
            )
        return cls(root, paths, reporter)

    @classmethod
    def made(cls, root: Path, paths: Mapping[str, str], reporter: Reporter) -> VendorDirectory:
        """Return the directory to write to: a new or empty one, or one that was written before.

        Raises `VendorError` for any other and when it cannot be made.
        """
        try:
            root.mkdir(parents=True, exist_ok=True)
            if not (root / VENDOR_MARK).exists():
                if any(root.iterdir()):
                    raise VendorError(
                        f"`{root}` has other files in it and was not made by `cogn vendor`",
                        hint="name a new directory",
                    )
                replace_file(root / VENDOR_MARK, msgspec.json.encode(_Mark(_FORMAT)))
        except OSError as error:
            raise VendorError(f"`{root}` cannot be written: {error.strerror}") from error
        return cls.opened(root, paths, reporter)

    def has(self, sha256: str) -> bool:
        """Tell whether there is a file in that one's place; whether it is right is seen later.

        Raises `VendorError` for a link that leads out of the directory and for what is no file.
        """
        return self._file(sha256) is not None

    async def bring(self, hashes: Iterable[str], cache: Cache) -> None:
        """Copy what is here of these files into the cache, unless it is there.

        Raises `VendorError`, which names it, for a file that is not what it has to be.
        """
        await self._each(partial(self._bring, cache), hashes)

    async def missing(self, hashes: Iterable[str]) -> list[str]:
        """Return the hashes whose files are not here as they have to be; reads all that are."""
        missing = set()

        def look(sha256: str) -> None:
            path = self._path(sha256)
            if path.is_symlink() or not path.is_file():
                missing.add(sha256)
                return
            with self._reporter.task("Checking", path.name, _size(path)):
                if hash_of(path) != sha256:
                    missing.add(sha256)

        hashes = list(hashes)
        await self._each(look, hashes)
        return [sha256 for sha256 in hashes if sha256 in missing]

    async def put(self, hashes: Iterable[str], cache: Cache) -> None:
        """Bring files of the cache here, as links where that can be; each appears in one step.

        Raises `VendorError` when the directory cannot be written.
        """

        def put(sha256: str) -> None:
            path = self._path(sha256)
            try:
                place_file(cache.path(sha256), path)
            except OSError as error:
                raise VendorError(f"`{path}` cannot be written: {error.strerror}") from error

        await self._each(put, hashes)

    def size(self) -> int:
        """Return the size in bytes of all files of the lock together."""
        return sum(_size(self._root / path) or 0 for path in self._paths.values())

    def others(self) -> int:
        """Return how many files there are that the lock does not name."""
        own = {self._root / path for path in self._paths.values()} | {self._root / VENDOR_MARK}
        return sum(1 for path in self._root.rglob("*") if not path.is_dir() and path not in own)

    async def _each(self, work: Callable[[str], None], hashes: Iterable[str]) -> None:
        limiter = anyio.CapacityLimiter(_PARALLEL)
        async with task_group() as tasks:
            for sha256 in hashes:
                call = partial(anyio.to_thread.run_sync, work, sha256, limiter=limiter)
                tasks.start_soon(call)

    def _bring(self, cache: Cache, sha256: str) -> None:
        if cache.find(sha256) or (path := self._file(sha256)) is None:
            return
        try:
            with (
                self._reporter.task("Copying", path.name, _size(path)) as task,
                path.open("rb") as source,
                cache.blob(expect=sha256, what=f"`{path}`") as blob,
            ):
                while piece := source.read(_PIECE):
                    blob.write(piece)
                    task.advance(len(piece))
        except HashError as error:
            raise VendorError(
                error.message, hint="run `cogn vendor` again, which replaces it, and copy it whole"
            ) from error
        except OSError as error:
            raise VendorError(f"`{path}` cannot be read: {error.strerror}") from error

    def _file(self, sha256: str) -> Path | None:
        """Return the file that has to have the hash, None when there is nothing."""
        if sha256 not in self._paths:
            return None
        path = self._path(sha256)
        if not path.exists() and not path.is_symlink():
            return None
        if not path.is_file():
            raise VendorError(f"`{path}` is no file", hint="run `cogn vendor` again")
        return path

    def _path(self, sha256: str) -> Path:
        """Return where the file has to be; raises `VendorError` when that is somewhere else."""
        path = self._root / self._paths[sha256]
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self._root)):
            raise VendorError(
                f"`{path}` leads out of `{self._root}`", hint="put the file itself there"
            )
        return path


def _size(path: Path) -> int | None:
    """Return the size of a file in bytes, None for what is none."""
    try:
        return path.stat().st_size
    except OSError:
        return None
