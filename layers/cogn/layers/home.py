"""A shared home for large layers: one repository that all images of a registry mount them from."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import msgspec

from cogn.layers.image import MANIFEST_MEDIA_TYPE
from cogn.report import Reporter
from cogn.store.registry import Blob, Repository, blob_of_bytes

__all__ = ["SharedHome"]

_LARGE = 8_000_000
"""Bytes from which a layer goes home: the smallest wheel that the plan gives a layer of its own."""

_ARTIFACT_TYPE = "application/vnd.cogn.layer"
_EMPTY = blob_of_bytes(b"{}", "an empty configuration")
_EMPTY_MEDIA_TYPE = "application/vnd.oci.empty.v1+json"
_LAYER_MEDIA_TYPE = "application/octet-stream"


class SharedHome:
    """The repository `home`, for images in `repository` of the same registry.

    Each layer there has a manifest and a tag of its own: what no manifest names, registries throw
    away. Where mounting does not work, nothing is brought home, and a warning says so.
    """

    def __init__(self, home: Repository, repository: Repository, reporter: Reporter) -> None:
        self._home = home
        self._repository = repository
        self._reporter = reporter
        self._probing = anyio.Lock()
        self._mounts: bool | None = None

    async def bring(self, layer: Blob, sources: Sequence[str]) -> int:
        """Bring a large layer home unless it is there; return the bytes sent for that."""
        if layer.size < _LARGE or not await self._can_mount():
            return 0
        version = f"layer-{layer.digest.removeprefix('sha256:')}"
        if await self._home.has_manifest(version, MANIFEST_MEDIA_TYPE):
            return 0
        sent = 0
        if not await self._home.has_blob(layer.digest):
            sent = await self._home.put_blob(layer, sources)
        await self._home.put_manifest(MANIFEST_MEDIA_TYPE, _manifest(layer), version)
        return sent

    def sources(self, layer: Blob) -> list[str]:
        """Return where to mount the layer from."""
        return [self._home.name] if self._mounts and layer.size >= _LARGE else []

    async def _can_mount(self) -> bool:
        """Tell whether the registry mounts from the home; a tiny blob finds out."""
        async with self._probing:
            if self._mounts is None:
                if not await self._home.has_blob(_EMPTY.digest):
                    await self._home.put_blob(_EMPTY)
                self._mounts = await self._repository.mount(_EMPTY, self._home.name)
                if not self._mounts:
                    self._reporter.warn(
                        f"the registry does not mount from `{self._home.reference}`: "
                        "layers are sent to the image's own repository"
                    )
            return self._mounts


def _manifest(layer: Blob) -> bytes:
    return msgspec.json.encode(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_MEDIA_TYPE,
            "artifactType": _ARTIFACT_TYPE,
            "config": {
                "mediaType": _EMPTY_MEDIA_TYPE,
                "digest": _EMPTY.digest,
                "size": _EMPTY.size,
            },
            "layers": [
                {"mediaType": _LAYER_MEDIA_TYPE, "digest": layer.digest, "size": layer.size}
            ],
        },
        order="sorted",
    )
