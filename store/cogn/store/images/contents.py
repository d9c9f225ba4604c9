"""What a reference names in a registry: an image for each platform, of which layers, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cogn.store.errors import ImageError
from cogn.store.images.source import ImageSource
from cogn.store.registry.untrusted import json_object, objects

__all__ = ["NamedLayer", "PlatformImage", "list_images"]

_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_LARGEST_CONFIG = 4 << 20
_MOST_PLATFORMS = 32
_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class NamedLayer:
    """A layer as the image's history calls it, with the size of its blob in bytes."""

    name: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class PlatformImage:
    """The image for one platform, ``os/architecture``, and the digest of its manifest."""

    platform: str
    digest: str
    layers: tuple[NamedLayer, ...]


async def list_images(source: ImageSource) -> tuple[str, list[PlatformImage]]:
    """Return the digest of what the source's reference names, and its images.

    Raises `ImageError` for what is no image, `RegistryError` and `HashError` as reading does.
    """
    named = await source.manifest(source.reference.version, _TYPES)
    document = json_object(named.data)
    if "manifests" not in document:
        return named.digest, [await _image(source, named.digest, document)]
    images = []
    for each in objects(document["manifests"])[:_MOST_PLATFORMS]:
        if (each.get("platform") or {}).get("os") == "unknown":  # BuildKit's attestations
            continue
        digest = str(each.get("digest"))
        manifest = await source.manifest(digest, _TYPES)
        images.append(await _image(source, digest, json_object(manifest.data)))
    return named.digest, images


async def _image(source: ImageSource, digest: str, manifest: dict[str, Any]) -> PlatformImage:
    descriptor = manifest.get("config")
    layers = objects(manifest.get("layers"))
    if not isinstance(descriptor, dict) or not all(isinstance(e.get("size"), int) for e in layers):
        raise ImageError(f"`{source.reference}` is no image: {digest} is no manifest of one")
    blob = await source.read_blob(str(descriptor.get("digest")), _LARGEST_CONFIG)
    config = json_object(blob)
    history = [each for each in objects(config.get("history")) if not each.get("empty_layer")]
    names = [_name(each) for each in history] if len(history) == len(layers) else [""] * len(layers)
    return PlatformImage(
        platform=f"{config.get('os', '?')}/{config.get('architecture', '?')}",
        digest=digest,
        layers=tuple(
            NamedLayer(name, str(layer.get("digest")), layer["size"])
            for name, layer in zip(names, layers, strict=True)
        ),
    )


def _name(entry: dict[str, Any]) -> str:
    """Return what an entry of the history says of its layer, fit for a line."""
    text = " ".join(str(entry.get("created_by", "")).removeprefix("cogn: ").split())
    shown = "".join(char for char in text if char.isprintable())
    return shown if len(shown) <= _LONGEST_NAME else shown[: _LONGEST_NAME - 3] + "..."
