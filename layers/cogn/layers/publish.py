"""Publishing: an image goes to a place blob by blob, only what is missing, the manifest last."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cogn.layers.build import Builder
from cogn.layers.destination import Destination
from cogn.layers.image import Document, Image
from cogn.layers.layer import Layer
from cogn.store import DamagedBlobError
from cogn.store.registry import Repository
from cogn.store.tasks import task_group

__all__ = ["RegistryDestination", "publish"]


async def publish(
    image: Image, names: Mapping[str, str], builder: Builder, destination: Destination
) -> None:
    """Bring `image` to `destination`; blobs that are there already are neither made nor sent.

    `names` tells what each layer's digest is called in messages.
    """
    missing: list[Layer] = []

    async def look(layer: Layer) -> None:
        if not await destination.has(layer.digest):
            missing.append(layer)

    async with task_group() as tasks:
        for layer in dict.fromkeys(image.layers):
            tasks.start_soon(look, layer)
    await builder.ensure(missing)

    async def put(layer: Layer) -> None:
        name = names[layer.digest]
        try:
            await destination.put_layer(layer, name, builder.blob(layer))
        except DamagedBlobError:
            await builder.remake(layer)
            await destination.put_layer(layer, name, builder.blob(layer))

    async with task_group() as tasks:
        for layer in missing:
            tasks.start_soon(put, layer)
        tasks.start_soon(_put_config, image.config, destination)
    await destination.finish(image)


async def _put_config(config: Document, destination: Destination) -> None:
    if not await destination.has(config.digest):
        await destination.put_document(config)


class RegistryDestination:
    """A repository of a registry as a destination."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    async def has(self, digest: str) -> bool:
        """Tell whether the repository has the blob."""
        return await self._repository.has_blob(digest)

    async def put_layer(self, layer: Layer, name: str, file: Path) -> None:
        """Send the blob of a layer."""
        await self._repository.put_blob(layer.digest, layer.size, file, name=name)

    async def put_document(self, document: Document) -> None:
        """Send a small blob."""
        await self._repository.put_bytes(document.digest, document.data)

    async def finish(self, image: Image) -> None:
        """Send the manifest under the reference's tag."""
        manifest, tag = image.manifest, self._repository.reference.tag
        await self._repository.put_manifest(manifest.media_type, manifest.data, tag)
