"""Where the parts of one image are read from: its repository, or a mirror of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import anyio
import anyio.to_thread
from anyio.abc import ByteReceiveStream

from cogn.report import Reporter, Task
from cogn.store.cache import Cache
from cogn.store.errors import AbsentError, HashError, RegistryError
from cogn.store.registry import Manifest, Reference, Registries, Repository, attached
from cogn.store.retry import UnavailableError, retried

__all__ = ["ImageSource", "Into", "LockedLayer"]

_T = TypeVar("_T")

Into = Callable[[], AbstractContextManager[Callable[[bytes], None]]]
"""Gives what takes bytes, in threads, until the block ends."""


class LockedLayer(Protocol):
    """What a lock says about a layer of an image."""

    @property
    def digest(self) -> str:
        """Of its blob."""

    @property
    def diff_id(self) -> str:
        """The digest of the archive in its blob."""

    @property
    def size(self) -> int:
        """Of its blob, in bytes."""

    @property
    def media_type(self) -> str:
        """In OCI's terms."""


class ImageSource:
    """An image's repository and its mirrors, the first of which that answers is read.

    Nothing is asked before something is wanted.
    """

    def __init__(self, reference: Reference, registries: Registries, reporter: Reporter) -> None:
        self.reference = reference
        self._registries = registries
        self._reporter = reporter
        self._opening = anyio.Lock()
        self._repositories: Sequence[Repository] = ()

    @property
    def names(self) -> list[tuple[str, str]]:
        """The registries and repositories to read from, mirrors first, whether they answer or not.

        Raises `RegistryConfigurationError`.
        """
        return self._registries.pull_names(self.reference)

    async def manifest(self, version: str, media_types: Sequence[str]) -> Manifest:
        """Return the manifest with that digest or tag; raises `RegistryError`, `HashError`.

        It is an `AbsentError` when no place has it.
        """

        async def read(repository: Repository) -> Manifest:
            manifest = await repository.manifest(version, media_types)
            if manifest is None:
                raise AbsentError(f"`{self.reference}` is not there: no manifest {version}")
            return manifest

        return await self._first(read)

    async def read_blob(self, digest: str, limit: int) -> bytes:
        """Return a small blob; raises `RegistryError`, `HashError`."""
        return await self._first(lambda repository: repository.read_blob(digest, limit))

    async def attached(self, subject: str, media_type: str) -> bytes | None:
        """Return the file of one type that is kept with the manifest `subject`, or None.

        Raises `RegistryError`, `HashError`.
        """
        return await self._first(lambda each: attached(each, subject, media_type))

    async def open_layer(self, layer: LockedLayer) -> ByteReceiveStream:
        """Return the bytes of a layer's blob, checked as those of `Repository.open_blob`."""
        return await self._first(lambda each: each.open_blob(layer.digest, layer.size))

    async def read_layer(self, layer: LockedLayer, verb: str, into: Into) -> None:
        """Read a layer's blob to its end; `verb` says in the progress what that is for.

        `into` is asked anew when a connection broke and the blob is read from its start again.
        Raises `RegistryError`, `HashError`.
        """

        async def attempt() -> None:
            name = f"{self.reference.repository} {layer.digest.removeprefix('sha256:')[:12]}"
            with self._reporter.task(verb, name, layer.size) as task, into() as take:
                async with await self.open_layer(layer) as stream:
                    async for piece in stream:
                        await anyio.to_thread.run_sync(take, piece)
                        task.advance(len(piece))

        try:
            await retried(attempt)
        except UnavailableError as error:
            raise RegistryError(f"`{self.reference}`: reading {layer.digest}: {error}") from error

    async def fetch_layer(self, layer: LockedLayer, cache: Cache) -> Path:
        """Return the file of a layer's blob in the cache, fetched unless it is there."""
        sha256 = layer.digest.removeprefix("sha256:")

        @contextmanager
        def into() -> Iterator[Callable[[bytes], None]]:
            with cache.blob(expect=sha256, what=f"the layer {layer.digest}") as blob:
                yield blob.write

        async with cache.lock(sha256, self.waiting("fetch", layer)):
            if cache.find(sha256) is None:
                await self.read_layer(layer, "Fetching", into)
        return cache.path(sha256)

    def waiting(self, verb: str, layer: LockedLayer) -> Task:
        """Return the task of waiting for another process, which does to a layer what is due."""
        return self._reporter.task(f"Waiting for another cogn to {verb}", layer.digest)

    async def _first(self, read: Callable[[Repository], Awaitable[_T]]) -> _T:
        """Return what the first place gives that gives anything."""
        async with self._opening:
            if not self._repositories:
                self._repositories = await self._registries.pull_sources(self.reference)
        *mirrors, last = self._repositories
        for mirror in mirrors:
            try:
                return await read(mirror)
            except (RegistryError, HashError):
                continue
        return await read(last)
