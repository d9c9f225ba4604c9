"""Publishing: images go to a place blob by blob, only what is missing, the manifests last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import anyio
from anyio.abc import TaskGroup

from cogn.layers.build import Builder
from cogn.layers.destination import Destination, LayerBlob
from cogn.layers.errors import LayerError
from cogn.layers.image import Document, Image
from cogn.layers.layer import Layer
from cogn.store import DamagedBlobError
from cogn.store.tasks import task_group

__all__ = ["Publication", "publish"]


async def publish(
    images: Sequence[Image], names: Mapping[str, str], builder: Builder, destination: Destination
) -> None:
    """Bring finished images to a destination; see `Publication` for images that are being made.

    `names` tells what each layer's digest is called in messages.
    """
    async with task_group() as tasks:
        publication = Publication(destination, builder, tasks)
        for layer in dict.fromkeys(layer for image in images for layer in image.layers):
            publication.offer(names[layer.digest], layer)
        publication.offer_configs(images)
    await publication.finish(images)


class Publication:
    """Images on their way to one destination.

    A layer that is offered moves at once, in the task group, when it is missing there and its blob
    is in the cache. What has to be made for the destination comes with `finish`.
    """

    def __init__(self, destination: Destination, builder: Builder, tasks: TaskGroup) -> None:
        self._destination = destination
        self._builder = builder
        self._tasks = tasks
        self._offered: dict[str, tuple[str, Layer]] = {}
        self._late: list[Layer] = []

    def offer(self, name: str, layer: Layer) -> None:
        """Bring a layer to the destination that will be part of an image."""
        if layer.digest not in self._offered:
            self._offered[layer.digest] = name, layer
            self._tasks.start_soon(self._bring, name, layer)

    def offer_configs(self, images: Iterable[Image]) -> None:
        """Bring the images' configurations to the destination."""
        for image in images:
            self._tasks.start_soon(self._bring_config, image.config)

    async def finish(self, images: Sequence[Image]) -> None:
        """Bring what is still missing, then the manifests; for when all that is offered is done.

        Raises `SealError` for a layer that is made and not as it was sealed, and what the
        destination raises.
        """
        await self._make(self._late)
        missing = await self._destination.finish(images)
        if missing:
            await self._put_again(missing, images)
            if await self._destination.finish(images):
                raise LayerError("the destination does not keep what it is sent")

    async def _bring(self, name: str, layer: Layer) -> None:
        if await self._destination.has(layer.digest):
            return
        await self._put(name, layer)

    async def _put(self, name: str, layer: Layer) -> None:
        blob = self._builder.cached(name, layer)
        if blob is None:
            self._late.append(layer)
            return
        try:
            await self._destination.put_layer(blob)
        except DamagedBlobError:
            self._builder.discard(layer)
            await self._put(name, layer)

    async def _make(self, layers: Sequence[Layer]) -> None:
        if not layers:
            return
        limiter = anyio.CapacityLimiter(self._builder.jobs)

        async def put(blob: LayerBlob) -> None:
            async with limiter:  # none waits for its first byte on an open connection
                await self._destination.put_layer(blob)

        async with self._builder.making(layers) as blobs, task_group() as tasks:
            for blob in blobs:
                tasks.start_soon(put, blob)

    async def _bring_config(self, config: Document) -> None:
        if not await self._destination.has(config.digest):
            await self._destination.put_document(config)

    async def _put_again(self, digests: frozenset[str], images: Sequence[Image]) -> None:
        self._late.clear()
        for name, layer in self._offered.values():
            if layer.digest in digests:
                await self._put(name, layer)
        await self._make(self._late)
        for image in images:
            if image.config.digest in digests:
                await self._destination.put_document(image.config)
