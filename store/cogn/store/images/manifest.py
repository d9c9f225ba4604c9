"""Finding the image that a reference names for one platform, with every rule checked.

Read are the manifests of the OCI image specification 1.1 and of Docker's version 2, schema 2, and
the indexes of both; what they hold is untrusted.
"""

from __future__ import annotations

from typing import Annotated, Any, NoReturn, TypeVar

import msgspec
from msgspec import Meta

from cogn.store.errors import HashError, ImageError, RegistryError
from cogn.store.images.source import ImageSource

__all__ = ["ImageLayer", "RegistryImage", "find_image", "is_there"]

_OCI = "application/vnd.oci.image"
_DOCKER = "application/vnd.docker"
_INDEXES = (f"{_OCI}.index.v1+json", f"{_DOCKER}.distribution.manifest.list.v2+json")
_MANIFESTS = (f"{_OCI}.manifest.v1+json", f"{_DOCKER}.distribution.manifest.v2+json")
_CONFIGS = (f"{_OCI}.config.v1+json", f"{_DOCKER}.container.image.v1+json")
_LAYERS = {
    f"{_OCI}.layer.v1.tar": f"{_OCI}.layer.v1.tar",
    f"{_OCI}.layer.v1.tar+gzip": f"{_OCI}.layer.v1.tar+gzip",
    f"{_OCI}.layer.v1.tar+zstd": f"{_OCI}.layer.v1.tar+zstd",
    f"{_DOCKER}.image.rootfs.diff.tar": f"{_OCI}.layer.v1.tar",
    f"{_DOCKER}.image.rootfs.diff.tar.gzip": f"{_OCI}.layer.v1.tar+gzip",
    f"{_DOCKER}.image.rootfs.diff.tar.zstd": f"{_OCI}.layer.v1.tar+zstd",
}
"""The types of layers that are read, and what OCI calls them."""

_VARIANTS = {"amd64": {"", "v1"}, "arm64": {"", "v8"}}
"""What every machine of an architecture runs."""

_LARGEST_CONFIG = 4 << 20
_LARGEST_LAYER = 64 << 30
_LONGEST_ENVIRONMENT = 64 << 10
_LONGEST_LABELS = 256 << 10
"""Some builders keep documents in labels. They are in the lock, and in the new image twice."""

_T = TypeVar("_T")
_Digest = Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$")]


class ImageLayer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer of an image; `media_type` is OCI's name of the type."""

    digest: str
    diff_id: str
    size: int
    media_type: str


class RegistryImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image for one platform, as its documents describe it."""

    index: str | None
    """The digest of the index that names the manifest, if there is one."""
    manifest: str
    layers: tuple[ImageLayer, ...]
    environment: tuple[str, ...]
    labels: dict[str, str] = {}
    """Sorted."""


class _Platform(msgspec.Struct):
    os: str
    architecture: str
    variant: str = ""


class _Descriptor(msgspec.Struct, rename={"media_type": "mediaType"}):
    digest: _Digest
    size: Annotated[int, Meta(ge=0, le=_LARGEST_LAYER)]
    media_type: str
    platform: _Platform | None = None
    urls: tuple[str, ...] | None = None


class _Index(msgspec.Struct):
    manifests: tuple[_Descriptor, ...]


class _Manifest(msgspec.Struct):
    config: _Descriptor
    layers: tuple[_Descriptor, ...]


class _Rootfs(msgspec.Struct):
    diff_ids: tuple[_Digest, ...]


class _Settings(msgspec.Struct):
    environment: tuple[str, ...] | None = msgspec.field(name="Env", default=None)
    labels: dict[str, str] | None = msgspec.field(name="Labels", default=None)


class _Config(msgspec.Struct):
    os: str
    architecture: str
    rootfs: _Rootfs
    settings: _Settings | None = msgspec.field(name="config", default=None)


async def find_image(source: ImageSource, platform: str, *, most_layers: int) -> RegistryImage:
    """Return the image that the source's reference names for ``os/architecture``.

    Raises `ImageError` for what breaks a rule, is for other platforms, or has more than
    `most_layers` layers, and `RegistryError` and `HashError` as reading does: `AbsentError` when
    there is no such image.
    """
    return await _Finder(source, platform, most_layers).find()


async def is_there(source: ImageSource) -> bool:
    """Tell whether anything can be had under the source's reference."""
    try:
        await source.manifest(source.reference.version, (*_INDEXES, *_MANIFESTS))
    except (RegistryError, HashError):
        return False
    return True


class _Finder:
    def __init__(self, source: ImageSource, platform: str, most_layers: int) -> None:
        self._source = source
        self._platform = platform
        self._most_layers = most_layers

    async def find(self) -> RegistryImage:
        named = await self._source.manifest(
            self._source.reference.version, (*_INDEXES, *_MANIFESTS)
        )
        found, index = named, None
        kind = self._kind(named.data)
        if kind in _INDEXES:
            index = named.digest
            found = await self._source.manifest(self._choice(named.data), _MANIFESTS)
            kind = self._kind(found.data)
        if kind not in _MANIFESTS:
            self._refuse(f"its manifest has the type `{kind[:80]}`")
        manifest = self._decoded(found.data, _Manifest)
        config = await self._config(manifest.config)
        return RegistryImage(
            index=index,
            manifest=found.digest,
            layers=self._layers(manifest, config),
            environment=self._environment(config.settings),
            labels=self._labels(config.settings),
        )

    def _kind(self, data: bytes) -> str:
        """Return the type of a document: what it says itself, as headers can say anything."""
        document = self._decoded(data, dict[str, Any])
        if document.get("schemaVersion") != 2 or ("manifests" in document and "layers" in document):
            self._refuse("its manifest is of no known version")
        default = _INDEXES[0] if "manifests" in document else _MANIFESTS[0]
        return str(document.get("mediaType", default))

    def _choice(self, data: bytes) -> str:
        """Return the digest of the manifest that an index has for the platform."""
        offered = []
        for each in self._decoded(data, _Index).manifests:
            if each.platform is None:
                continue
            name = f"{each.platform.os}/{each.platform.architecture}"
            variants = _VARIANTS[self._platform.partition("/")[2]]
            if name == self._platform and each.platform.variant in variants:
                return each.digest
            offered.append(name)
        known = ", ".join(sorted({name[:40] for name in offered if "unknown" not in name})[:16])
        raise self._error(
            f"it is not for {self._platform}, but for {known or 'no platform at all'}"
        )

    async def _config(self, descriptor: _Descriptor) -> _Config:
        if descriptor.media_type not in _CONFIGS:
            self._refuse(f"it is no image: its configuration is `{descriptor.media_type[:80]}`")
        data = await self._source.read_blob(descriptor.digest, _LARGEST_CONFIG)
        if len(data) != descriptor.size:
            self._refuse("its configuration has another size than its manifest says")
        config = self._decoded(data, _Config)
        if (name := f"{config.os}/{config.architecture}") != self._platform:
            self._refuse(f"it is not for {self._platform}, but for {name[:40]}")
        return config

    def _layers(self, manifest: _Manifest, config: _Config) -> tuple[ImageLayer, ...]:
        layers, diff_ids = manifest.layers, config.rootfs.diff_ids
        if len(layers) != len(diff_ids):
            self._refuse(
                f"its manifest has {len(layers)} layers and its configuration {len(diff_ids)}"
            )
        if not 0 < len(layers) <= self._most_layers:
            self._refuse(
                f"it has {len(layers)} layers; a base may have 1 to {self._most_layers}",
                hint="of the layers that container runtimes take, the model's need the rest",
            )
        for layer in layers:
            if layer.media_type not in _LAYERS or layer.urls:
                self._refuse(f"it has a layer that cogn does not read: `{layer.media_type[:80]}`")
        return tuple(
            ImageLayer(
                digest=layer.digest,
                diff_id=diff_id,
                size=layer.size,
                media_type=_LAYERS[layer.media_type],
            )
            for layer, diff_id in zip(layers, diff_ids, strict=True)
        )

    def _environment(self, settings: _Settings | None) -> tuple[str, ...]:
        environment = (settings.environment if settings else None) or ()
        for each in environment:
            name, equals, _ = each.partition("=")
            if not name or not equals or "\0" in each:
                self._refuse(f"its environment has `{each[:80]!r}`, which is no variable")
        if sum(map(len, environment)) > _LONGEST_ENVIRONMENT:
            self._refuse("its environment is too large")
        return environment

    def _labels(self, settings: _Settings | None) -> dict[str, str]:
        labels = (settings.labels if settings else None) or {}
        if sum(len(name) + len(text) for name, text in labels.items()) > _LONGEST_LABELS:
            self._refuse("its labels are too large")
        return dict(sorted(labels.items()))

    def _decoded(self, data: bytes, kind: type[_T]) -> _T:
        try:
            return msgspec.json.decode(data, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._error(f"a document of it is malformed: {error}") from error

    def _refuse(self, what: str, *, hint: str | None = None) -> NoReturn:
        raise self._error(what, hint=hint)

    def _error(self, what: str, *, hint: str | None = None) -> ImageError:
        return ImageError(f"`{self._source.reference}` cannot be a base: {what}", hint=hint)
