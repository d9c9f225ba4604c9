"""A registry as a destination: what it has is left alone, what it can mount is not sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

import anyio
import msgspec

from cogn.layers.destination import LayerBlob
from cogn.layers.home import SharedHome
from cogn.layers.image import (
    INDEX_MEDIA_TYPE,
    MANIFEST_MEDIA_TYPE,
    Document,
    Image,
    manifests_of,
)
from cogn.lockfiles import LOCK_NAME
from cogn.store.errors import RegistryError, UnknownBlobError
from cogn.store.places import Places
from cogn.store.registry import Manifest, Repository, attach, blob_of_bytes

__all__ = ["LOCK_MEDIA_TYPE", "RegistryDestination"]

LOCK_MEDIA_TYPE = "application/vnd.cogn.lock.v1+toml"
"""The type of the artifact that holds an image's lock."""

_AT_ONCE = 8
_MOST_PLATFORMS = 16
_MANIFEST_TYPES = (
    MANIFEST_MEDIA_TYPE,
    "application/vnd.docker.distribution.manifest.v2+json",
)
_TAGGED_TYPES = (
    INDEX_MEDIA_TYPE,
    "application/vnd.docker.distribution.manifest.list.v2+json",
    *_MANIFEST_TYPES,
)


class _Descriptor(msgspec.Struct):
    digest: str


class _Content(msgspec.Struct):
    """What manifests and indexes name."""

    config: _Descriptor | None = None
    layers: tuple[_Descriptor, ...] = ()
    manifests: tuple[_Descriptor, ...] = ()


class RegistryDestination:
    """A repository of a registry.

    `home` keeps the large layers of all repositories, if that is wanted; `places` remembers which
    repositories have which layers. `sent` counts the bytes of blobs that went out.
    """

    def __init__(
        self, repository: Repository, *, places: Places, home: SharedHome | None = None
    ) -> None:
        self._repository = repository
        self._places = places
        self._home = home
        self._limiter = anyio.CapacityLimiter(_AT_ONCE)
        self._looking = anyio.Lock()
        self._present: frozenset[str] | None = None
        self._named: str | None = None
        self.sent = 0

    async def has(self, digest: str) -> bool:
        """Tell whether the repository has the blob.

        What the image that has our tag now is made of needs no question.
        """
        if digest in await self._current():
            return True
        async with self._limiter:
            return await self._repository.has_blob(digest)

    async def put_layer(self, layer: LayerBlob) -> None:
        """Mount the layer's blob from where it may be, or send it."""
        async with self._limiter:
            host = self._repository.reference.host
            sources = [name for other, name in layer.sources if other == host]
            sources += self._places.of(host, layer.digest)
            if self._home is not None:
                self._count(await self._home.bring(layer, sources))
                sources = [*self._home.sources(layer), *sources]
            self._count(await self._repository.put_blob(layer, sources))

    async def put_document(self, document: Document) -> None:
        """Send a small blob."""
        async with self._limiter:
            blob = blob_of_bytes(document.data, "the configuration")
            self._count(await self._repository.put_blob(blob))

    async def finish(self, images: Sequence[Image]) -> frozenset[str]:
        """Send the manifests, the last document under the reference's tag.

        Return the blobs that the registry turns out to miss although it said that it has them;
        nothing has changed under the tag then.
        """
        *manifests, named = manifests_of(images)
        await self._current()
        if self._named == named.digest:
            return frozenset()
        try:
            for manifest in manifests:
                await self._put_manifest(manifest, manifest.digest)
            await self._put_manifest(named, self._repository.reference.tag)
        except UnknownBlobError as error:
            return await self._missing(images, error.blobs)
        host, name = self._repository.reference.host, self._repository.name
        self._places.add(host, name, (layer for image in images for layer in image.layers))
        return frozenset()

    async def attach_lock(self, image: Document, text: bytes) -> None:
        """Keep a lock with the image of a manifest or index, for those who have no checkout.

        Raises `RegistryError`.
        """
        await attach(
            self._repository,
            image.descriptor,
            text,
            media_type=LOCK_MEDIA_TYPE,
            name=LOCK_NAME,
        )

    def _count(self, sent: int) -> None:
        self.sent += sent

    async def _put_manifest(self, document: Document, version: str) -> None:
        await self._repository.put_manifest(document.media_type, document.data, version)

    async def _current(self) -> frozenset[str]:
        """Return the digests of all blobs of what has our tag now."""
        async with self._looking:
            if self._present is None:
                self._present = frozenset()
                # Who may push need not be allowed to read; the push itself will tell.
                with suppress(RegistryError):
                    self._present = frozenset(await self._look())
            return self._present

    async def _look(self) -> set[str]:
        tag = self._repository.reference.tag
        tagged = await self._repository.manifest(tag, _TAGGED_TYPES)
        if tagged is None:
            return set()
        content = _decoded(tagged)
        blobs = set(_blobs(content))
        for child in content.manifests[:_MOST_PLATFORMS]:
            manifest = await self._repository.manifest(child.digest, _MANIFEST_TYPES)
            if manifest is not None:
                blobs |= set(_blobs(_decoded(manifest)))
        self._named = tagged.digest
        return blobs

    async def _missing(self, images: Sequence[Image], named: frozenset[str]) -> frozenset[str]:
        """Return which blobs the registry misses: those that it names, or that cannot be read.

        If all of them can, all are sent again.
        """
        blobs = {image.config.digest for image in images}
        blobs |= {layer.digest for image in images for layer in image.layers}
        if named & blobs:
            return named & blobs
        unreadable = {digest for digest in blobs if not await self._repository.can_read(digest)}
        return frozenset(unreadable or blobs)


def _decoded(manifest: Manifest) -> _Content:
    try:
        return msgspec.json.decode(manifest.data, type=_Content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Of an old format, or none at all: whatever it names is asked for.
        return _Content()


def _blobs(content: _Content) -> Iterable[str]:
    return (each.digest for each in (content.config, *content.layers) if each is not None)
