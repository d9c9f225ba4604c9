"""Images: configuration, manifest and, for several platforms, the index of their manifests.

They follow the OCI image specification 1.1 (config.md, manifest.md, image-index.md) and are written
as canonical JSON, so that the same content always has the same digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from cogn.layers.layer import Layer

__all__ = [
    "CONFIG_MEDIA_TYPE",
    "INDEX_MEDIA_TYPE",
    "MANIFEST_MEDIA_TYPE",
    "Document",
    "Image",
    "index_of",
    "make_image",
    "make_index",
    "manifests_of",
]

INDEX_MEDIA_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_MEDIA_TYPE = "application/vnd.oci.image.config.v1+json"

_CREATED = "1980-01-02T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Document:
    """A small JSON document of an image, with its digest."""

    media_type: str
    data: bytes

    @property
    def digest(self) -> str:
        """Return ``sha256:<hex>`` of the exact bytes."""
        return f"sha256:{hashlib.sha256(self.data).hexdigest()}"

    @property
    def descriptor(self) -> dict[str, object]:
        """Return the OCI descriptor of this document."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.data)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image by its documents and layers; `platform` is ``os/architecture``."""

    manifest: Document
    config: Document
    layers: tuple[Layer, ...]
    platform: str

    @property
    def digest(self) -> str:
        """Return the digest of the manifest, which names the image."""
        return self.manifest.digest

    @property
    def descriptor(self) -> dict[str, object]:
        """Return the OCI descriptor of the manifest, with the platform.

        arm64 has no variant here, as BuildKit writes it: v8 is its only one, the specification
        makes it optional, and readers take both for the same.
        """
        system, _, architecture = self.platform.partition("/")
        platform = {"architecture": architecture, "os": system}
        return self.manifest.descriptor | {"platform": platform}


def make_image(
    layers: Sequence[tuple[str, Layer]],
    *,
    platform: str,
    environment: Mapping[str, str],
    labels: Mapping[str, str],
    entrypoint: Sequence[str],
    command: Sequence[str],
    working_directory: str,
    port: int,
    annotations: Mapping[str, str] | None = None,
) -> Image:
    """Return the image made of `layers`, bottom first, each with a line for the history.

    `annotations` are those of the manifest.
    """
    system, _, architecture = platform.partition("/")
    config = Document(
        CONFIG_MEDIA_TYPE,
        _json(
            {
                "architecture": architecture,
                "os": system,
                "created": _CREATED,
                "config": {
                    "Cmd": list(command),
                    "Entrypoint": list(entrypoint),
                    "Env": [f"{name}={value}" for name, value in environment.items()],
                    "ExposedPorts": {f"{port}/tcp": {}},
                    "Labels": dict(labels),
                    "StopSignal": "SIGTERM",
                    "WorkingDir": working_directory,
                },
                "rootfs": {"type": "layers", "diff_ids": [made.diff_id for _, made in layers]},
                "history": [
                    {"created": _CREATED, "created_by": f"cogn: {name}"} for name, _ in layers
                ],
            }
        ),
    )
    manifest = Document(
        MANIFEST_MEDIA_TYPE,
        _json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_MEDIA_TYPE,
                "config": config.descriptor,
                "layers": [
                    {"mediaType": made.media_type, "digest": made.digest, "size": made.size}
                    for _, made in layers
                ],
            }
            | ({"annotations": dict(annotations)} if annotations else {})
        ),
    )
    return Image(
        manifest=manifest,
        config=config,
        layers=tuple(made for _, made in layers),
        platform=platform,
    )


def manifests_of(images: Sequence[Image]) -> tuple[Document, ...]:
    """Return the manifests of `images`; the last document names all: for several, their index.

    This is also the order to send them in, as each one may name only what is there already.
    """
    manifests = tuple(image.manifest for image in images)
    return manifests if len(images) == 1 else (*manifests, make_index(images))


def make_index(images: Iterable[Image]) -> Document:
    """Return the image index of one image for each platform, sorted by platform."""
    return index_of(image.descriptor for image in sorted(images, key=lambda each: each.platform))


def index_of(descriptors: Iterable[Mapping[str, object]]) -> Document:
    """Return an image index with these descriptors."""
    index = {
        "schemaVersion": 2,
        "mediaType": INDEX_MEDIA_TYPE,
        "manifests": list(descriptors),
    }
    return Document(INDEX_MEDIA_TYPE, _json(index))


def _json(value: object) -> bytes:
    return msgspec.json.encode(value, order="sorted")
