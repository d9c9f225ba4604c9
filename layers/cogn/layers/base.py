"""Images as bases: their layers, which go from where they are to where they are missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from anyio.abc import ByteReceiveStream

from cogn.layers.destination import LayerBlob
from cogn.layers.errors import StaleLockError
from cogn.layers.layer import Compression, Layer
from cogn.lockfiles import Base, BaseLayer, ImageBase
from cogn.report import Reporter
from cogn.store import Cache
from cogn.store.registry import Reference, Registries

if TYPE_CHECKING:
    from cogn.store.images import ImageSource

__all__ = ["BaseImages", "base_layers"]


def base_layers(base: Base) -> list[tuple[str, Layer]]:
    """Return the layers of a base that need no making, bottom first, with names for people."""
    if not isinstance(base, ImageBase):
        return []
    count = len(base.layers)
    return [
        (f"base {number}/{count}", _layer(layer)) for number, layer in enumerate(base.layers, 1)
    ]


class BaseImages:
    """The images that some environments of a lock are based on."""

    def __init__(
        self, bases: Iterable[ImageBase], registries: Registries, cache: Cache, reporter: Reporter
    ) -> None:
        from cogn.store.images import ImageSource  # late: most models have no such base

        self._cache = cache
        self._sources: dict[str, ImageSource] = {}
        self._layers: dict[str, tuple[BaseLayer, ImageSource]] = {}
        for base in bases:
            reference = Reference.parse(f"{base.reference}@{base.manifest}")
            source = ImageSource(reference, registries, reporter)
            self._sources[base.manifest] = source
            self._layers |= {layer.digest: (layer, source) for layer in base.layers}

    def blob(self, name: str, layer: Layer) -> LayerBlob | None:
        """Return the blob of a base's layer, None for any other.

        Its stream comes from the base's registry and is not kept; its file is fetched.
        """
        if layer.digest not in self._layers:
            return None
        locked, source = self._layers[layer.digest]

        async def stream() -> ByteReceiveStream:
            return await source.open_layer(locked)

        async def file() -> Path:
            return await source.fetch_layer(locked, self._cache)

        reference = source.reference
        return LayerBlob(
            digest=layer.digest,
            size=layer.size,
            name=name,
            open=stream,
            layer=layer,
            file=file,
            sources=((reference.host, reference.repository),),
        )

    async def rootfs(self, bases: Iterable[ImageBase]) -> Mapping[str, Path]:
        """Return the files that say what is in bases, by SHA-256; reads the bases without one.

        Raises `StaleLockError` when another version of cogn read them, `ImageError` and
        `RegistryError` when they cannot be read.
        """
        from cogn.store.images import RootfsReader  # late, as above

        files = {}
        for base in {base.manifest: base for base in bases}.values():
            sha256 = base.rootfs.removeprefix("sha256:")
            if self._cache.find(sha256) is None:
                source = self._sources[base.manifest]
                digest, _ = await RootfsReader(self._cache).read(base.manifest, base.layers, source)
                if digest != base.rootfs:
                    raise StaleLockError(
                        f"`{base.reference}` was read as {digest}, and the lock has {base.rootfs}",
                        hint="run `cogn lock --upgrade`, or use the cogn that wrote the lock",
                    )
            files[sha256] = self._cache.path(sha256)
        return files


def _layer(layer: BaseLayer) -> Layer:
    compression: Compression | None = None
    for each in get_args(Compression):
        if layer.media_type.endswith(f"+{each}"):
            compression = each
    return Layer(
        diff_id=layer.diff_id, digest=layer.digest, size=layer.size, compression=compression
    )
