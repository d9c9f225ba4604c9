"""Blobs on their way: bytes with a digest that can be had from their start as often as needed."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import anyio
import anyio.to_thread
from anyio.abc import ByteReceiveStream

from cogn.store.errors import DamagedBlobError
from cogn.store.retry import UnavailableError

__all__ = ["Blob", "BlobReader", "blob_of_bytes", "blob_of_file"]

_PIECE = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """What a repository takes: see `Repository.put_blob`."""

    digest: str
    size: int
    name: str
    """What people know it by, for progress and messages."""
    open: Callable[[], Awaitable[ByteReceiveStream]]
    """Gives a stream that raises an error rather than its last bytes when these are not what the
    digest says."""


def blob_of_bytes(data: bytes, name: str) -> Blob:
    """Return the blob that `data` is."""

    async def open_() -> ByteReceiveStream:
        return _BytesStream(data)

    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return Blob(digest=digest, size=len(data), name=name, open=open_)


def blob_of_file(path: Path, digest: str, size: int, name: str) -> Blob:
    """Return the blob in a file, whose stream raises `DamagedBlobError` when it is another."""

    async def open_() -> ByteReceiveStream:
        return _FileStream(await anyio.to_thread.run_sync(_opened, path), path, digest, size)

    return Blob(digest=digest, size=size, name=name, open=open_)


class BlobReader:
    """Reads a blob from any position, from its start again where that is needed."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._stream: ByteReceiveStream | None = None
        self._rest = b""
        self.position = 0

    async def read(self, start: int, size: int) -> AsyncIterator[bytes]:
        """Yield `size` bytes from `start` on."""
        if self._stream is None or self.position > start:
            await self.aclose()
            self._stream = await self._blob.open()
        while self.position < start:
            await self._take(start - self.position)
        end = start + size
        while self.position < end:
            yield await self._take(end - self.position)

    async def _take(self, most: int) -> bytes:
        assert self._stream is not None
        try:
            piece = self._rest or await self._stream.receive(_PIECE)
        except UnavailableError:  # it comes from another registry, and broke: it begins anew
            await self.aclose()
            raise
        piece, self._rest = piece[:most], piece[most:]
        self.position += len(piece)
        return piece

    async def aclose(self) -> None:
        """Close the stream; reading opens another."""
        stream, self._stream, self._rest, self.position = self._stream, None, b"", 0
        if stream is not None:
            with anyio.CancelScope(shield=True):
                await stream.aclose()


class _BytesStream(ByteReceiveStream):
    def __init__(self, data: bytes) -> None:
        self._rest = data

    async def receive(self, max_bytes: int = 65536) -> bytes:
        if not self._rest:
            raise anyio.EndOfStream
        piece, self._rest = self._rest[:max_bytes], self._rest[max_bytes:]
        return piece

    async def aclose(self) -> None:
        self._rest = b""


class _FileStream(ByteReceiveStream):
    """A file's bytes, hashed in the thread that reads them."""

    def __init__(self, file: BinaryIO, path: Path, digest: str, size: int) -> None:
        self._file = file
        self._path = path
        self._digest = digest
        self._left = size
        self._hash = hashlib.sha256()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        if not self._left:
            raise anyio.EndOfStream
        return await anyio.to_thread.run_sync(self._read, max_bytes)

    async def aclose(self) -> None:
        self._file.close()

    def _read(self, size: int) -> bytes:
        piece = self._file.read(min(size, self._left))
        self._hash.update(piece)
        self._left -= len(piece)
        is_end = not piece or not self._left
        if is_end and (self._left or f"sha256:{self._hash.hexdigest()}" != self._digest):
            raise _damaged(self._path, self._digest)
        return piece


def _opened(path: Path) -> BinaryIO:
    return path.open("rb", buffering=0)


def _damaged(path: Path, digest: str) -> DamagedBlobError:
    return DamagedBlobError(
        f"`{path}` is damaged: it is not {digest} any more",
        hint="remove that file, it is made again",
    )
