"""Learning what a base holds: its layers pass by once, checked, and their bytes are not kept.

What was learnt of an image is a blob of the cache. A lock names its hash, so that all machines go
by the same. What was learnt of a layer is one too, because images have layers in common: those of
one family, such as NVIDIA's, several tags of one, or the platforms of an index.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import anyio
import msgspec
import zstandard
from isal import isal_zlib

from cogn.store.cache import Cache
from cogn.store.errors import ImageError
from cogn.store.images.rootfs import Rootfs, is_kept, stacked
from cogn.store.images.source import ImageSource, LockedLayer
from cogn.store.images.tar import Member, TarListing
from cogn.store.tasks import later, task_group

__all__ = ["RootfsReader"]

_NOTES = "rootfs-2"  # another number when another thing is learnt from the same layers
_LAYER_NOTES = "layer-listings-1"  # as above
_AT_ONCE = 4
_PIECE = 1 << 20
_ZSTD_PIECE = 1 << 10  # each block of a few bytes may stand for 128 KiB
_LARGEST_WINDOW = 1 << 27
_MOST_MEMBERS = 1_000_000
_MOST_KEPT = 128 << 20
_ALWAYS_ALLOWED = 1 << 30
_MOST_TIMES = 200
"""Deflate makes at most a thousandth of what it is given, file systems hardly ever a fiftieth."""


class RootfsReader:
    """Reads what images hold, each once; the cache remembers."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def known(self, manifest: str) -> tuple[str, Rootfs] | None:
        """Return the digest and the content of what was learnt of a manifest's image before."""
        note = self._cache.note(_NOTES, _hex(manifest))
        try:
            sha256 = msgspec.json.decode(note, type=str) if note else ""
        except msgspec.DecodeError:  # damaged: as good as none
            return None
        path = self._cache.find(sha256) if sha256 else None
        return None if path is None else (f"sha256:{sha256}", Rootfs.decode(path.read_bytes()))

    async def read(
        self, manifest: str, layers: Sequence[LockedLayer], source: ImageSource
    ) -> tuple[str, Rootfs]:
        """Return the digest and the content of what the image of a manifest holds.

        Its layers are read unless this machine did so before. Raises `ImageError` when they are
        not what the image says, or too much, and what reading raises.
        """
        if known := self.known(manifest):
            return known
        limiter = anyio.CapacityLimiter(_AT_ONCE)

        async def listed(layer: LockedLayer) -> list[Member]:
            async with limiter:
                return await self._listed(layer, source)

        try:
            async with task_group() as tasks:
                listings = [later(tasks, partial(listed, layer)) for layer in layers]
            rootfs = stacked(listing.value for listing in listings)
        except ImageError as error:
            error.message = f"`{source.reference}` cannot be a base: {error.message}"
            raise
        sha256 = self._cache.add(rootfs.encode())
        self._cache.set_note(_NOTES, _hex(manifest), sha256)
        return f"sha256:{sha256}", rootfs

    async def _listed(self, layer: LockedLayer, source: ImageSource) -> list[Member]:
        """Return what a layer holds, which is read unless this machine did so before."""
        # All that reading checks: what another image says of the same blob is not believed.
        claims = f"{layer.digest} {layer.diff_id} {layer.media_type}"
        key = hashlib.sha256(claims.encode()).hexdigest()
        async with self._cache.lock(f"listing-{key}", source.waiting("read", layer)):
            if (known := self._known_listing(key)) is not None:
                return known
            members = await _listed(layer, source)
            listing = self._cache.add(msgspec.json.encode(members))
            self._cache.set_note(_LAYER_NOTES, key, listing)
            return members

    def _known_listing(self, key: str) -> list[Member] | None:
        note = self._cache.note(_LAYER_NOTES, key)
        try:
            path = self._cache.find(msgspec.json.decode(note, type=str)) if note else None
            if path is not None:
                return msgspec.json.decode(path.read_bytes(), type=list[Member])
        except msgspec.DecodeError:  # damaged: as good as none
            pass
        return None


async def _listed(layer: LockedLayer, source: ImageSource) -> list[Member]:
    members: list[Member] = []

    @contextmanager
    def into() -> Iterator[Callable[[bytes], None]]:
        nonlocal members
        listing = _LayerListing(layer)
        yield listing.feed
        listing.close()
        members = listing.members

    await source.read_layer(layer, "Reading", into)
    return members


class _LayerListing:
    """Takes the blob of a layer; `members` are what it holds."""

    def __init__(self, layer: LockedLayer) -> None:
        self.members: list[Member] = []
        self._layer = layer
        self._kept = 0
        self._limit = _ALWAYS_ALLOWED + _MOST_TIMES * layer.size
        self._archive = TarListing(is_kept, self._found)
        self._hash = hashlib.sha256()
        self._size = 0
        match layer.media_type.rpartition("+")[2]:
            case "gzip":
                self._decompressor: _Gzip | _Zstd | None = _Gzip(self._take)
            case "zstd":
                self._decompressor = _Zstd(self._take)
            case _:
                self._decompressor = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the blob."""
        if self._decompressor is None:
            self._take(data)
            return
        try:
            self._decompressor.feed(data)
        except (isal_zlib.IsalError, zlib.error, zstandard.ZstdError) as error:  # type: ignore[misc]  # isal's stub is wrong
            raise ImageError(f"its layer {self._layer.digest} is damaged") from error

    def close(self) -> None:
        """Raise `ImageError` when this was not all, or not what the configuration says."""
        is_whole = self._decompressor is None or self._decompressor.is_at_end
        if not is_whole or f"sha256:{self._hash.hexdigest()}" != self._layer.diff_id:
            raise ImageError(
                f"its layer {self._layer.digest} does not hold what its configuration says"
            )
        self._archive.close()

    def _take(self, plain: bytes) -> None:
        self._size += len(plain)
        if self._size > self._limit:
            raise ImageError(
                f"its layer {self._layer.digest} of {self._layer.size} bytes unpacks to more than "
                f"{self._limit}"
            )
        self._hash.update(plain)
        self._archive.feed(plain)

    def _found(self, member: Member) -> None:
        self._kept += len(member.content or b"")
        if len(self.members) >= _MOST_MEMBERS or self._kept > _MOST_KEPT:
            raise ImageError(f"its layer {self._layer.digest} has too many files")
        self.members.append(member)


class _Gzip:
    """gzip members one after the other (RFC 1952), inflated in pieces that fit memory."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._member = self._new()
        self.is_at_end = False

    def feed(self, data: bytes) -> None:
        while data:
            if self.is_at_end:
                self._member = self._new()
            plain = self._member.decompress(data, _PIECE)
            self._take(plain)
            # A full output may leave more inside, even with no input left.
            while len(plain) == _PIECE and not self._member.eof:
                plain = self._member.decompress(self._member.unconsumed_tail, _PIECE)
                self._take(plain)
            self.is_at_end = self._member.eof
            data = self._member.unused_data if self.is_at_end else self._member.unconsumed_tail

    def _new(self) -> isal_zlib.Decompress:
        return isal_zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)


class _Zstd:
    """Zstandard frames one after the other (RFC 8878)."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
        self._frame = self._decompressor.decompressobj()
        self.is_at_end = False

    def feed(self, data: bytes) -> None:
        for start in range(0, len(data), _ZSTD_PIECE):
            self._feed(data[start : start + _ZSTD_PIECE])

    def _feed(self, data: bytes) -> None:
        while data:
            if self.is_at_end:
                self._frame = self._decompressor.decompressobj()
            self._take(self._frame.decompress(data))
            self.is_at_end = self._frame.eof
            data = self._frame.unused_data if self.is_at_end else b""


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")
