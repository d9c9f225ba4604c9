"""Images as bases: their layers, which go from where they are to where they are missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from anyio.abc import ByteReceiveStream

from cogn.layers.destination import LayerBlob
from cogn.layers.errors import StaleLockError
from cogn.layers.layer import Compression, Layer
from cogn.lockfiles import Base, BaseLayer, ImageBase
from cogn.report import Reporter
from cogn.store import Cache
from cogn.store.errors import AbsentError
from cogn.store.places import Places
from cogn.store.registry import Reference, Registries, blob_of_file
from cogn.store.vendor import VendorDirectory

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
        self,
        bases: Iterable[ImageBase],
        registries: Registries,
        cache: Cache,
        reporter: Reporter,
        vendor: VendorDirectory | None = None,
    ) -> None:
        """Look into `vendor` before any registry is asked."""
        from cogn.store.images import ImageSource  # late: most models have no such base

        self._cache = cache
        self._vendor = vendor
        self._sources: dict[str, ImageSource] = {}
        self._layers: dict[str, tuple[BaseLayer, ImageBase]] = {}
        self._known: dict[str, tuple[tuple[str, str], ...]] = {}
        for base in bases:
            reference = Reference.parse(f"{base.reference}@{base.manifest}")
            source = ImageSource(reference, registries, reporter)
            self._sources[base.manifest] = source
            self._layers |= {layer.digest: (layer, base) for layer in base.layers}

    def blob(self, name: str, layer: Layer) -> LayerBlob | None:
        """Return the blob of a base's layer, None for any other.

        Its stream comes from the base's registry and is not kept; its file is fetched.
        """
        if layer.digest not in self._layers:
            return None
        locked, base = self._layers[layer.digest]
        source = self._sources[base.manifest]

        async def stream() -> ByteReceiveStream:
            if path := await self._vendored(layer.digest):
                return await blob_of_file(path, layer.digest, layer.size, name).open()
            with self._advised(base):
                return await source.open_layer(locked)

        async def file() -> Path:
            if path := await self._vendored(layer.digest):
                return path
            with self._advised(base):
                return await source.fetch_layer(locked, self._cache)

        return LayerBlob(
            digest=layer.digest,
            size=layer.size,
            name=name,
            open=stream,
            layer=layer,
            file=file,
            sources=self._places(base),
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
            if not (await self._vendored(base.rootfs) or self._cache.find(sha256)):
                source = self._sources[base.manifest]
                reader = RootfsReader(self._cache)
                with self._advised(base):
                    digest, _ = await reader.read(base.manifest, base.layers, source)
                if digest != base.rootfs:
                    raise StaleLockError(
                        f"`{base.reference}` was read as {digest}, and the lock has {base.rootfs}",
                        hint="run `cogn lock --upgrade`, or use the cogn that wrote the lock",
                    )
            files[sha256] = self._cache.path(sha256)
        return files

    async def _vendored(self, digest: str) -> Path | None:
        """Return the file in the cache of a blob that the vendor directory has, else None."""
        sha256 = digest.removeprefix("sha256:")
        if self._vendor is None or not self._vendor.has(sha256):
            return None
        await self._vendor.bring([sha256], self._cache)
        return self._cache.path(sha256)

    def _places(self, base: ImageBase) -> tuple[tuple[str, str], ...]:
        """Return the registries and repositories that may have a base: its own, earlier pushes'."""
        if base.manifest not in self._known:
            pushed = Places(self._cache).of_all(base.layers)
            self._known[base.manifest] = (*self._sources[base.manifest].names, *pushed)
        return self._known[base.manifest]

    @contextmanager
    def _advised(self, base: ImageBase) -> Iterator[None]:
        """Say what can be done when the registry has lost layers of a base."""
        try:
            yield
        except AbsentError as error:
            from cogn.store.images import still_there  # late, as above

            reference = self._sources[base.manifest].reference
            error.hint = still_there(reference, base.layers, self._cache)
            raise


def _layer(layer: BaseLayer) -> Layer:
    compression: Compression | None = None
    for each in get_args(Compression):
        if layer.media_type.endswith(f"+{each}"):
            compression = each
    return Layer(
        diff_id=layer.diff_id, digest=layer.digest, size=layer.size, compression=compression
    )
