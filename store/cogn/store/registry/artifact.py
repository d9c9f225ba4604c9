"""Small files that a registry keeps with an image: artifacts that refer to it as their subject.

OCI image specification 1.1 ("Guidelines for Artifact Usage") and distribution specification 1.1
("Referrers", with the tag that stands in for the API where there is none).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cogn.store.registry.blob import Blob, blob_of_bytes
from cogn.store.registry.repository import Manifest, Repository, descriptors
from cogn.store.registry.untrusted import json_object, objects
from cogn.store.tasks import task_group

__all__ = ["attach", "attached"]

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
_EMPTY = b"{}"
_TITLE = "org.opencontainers.image.title"
_LARGEST = 16 << 20


async def attach(
    repository: Repository,
    subject: Mapping[str, object],
    data: bytes,
    *,
    media_type: str,
    name: str,
) -> str:
    """Keep the file `data` with the manifest of the descriptor `subject`; return its digest.

    `media_type` is both the file's and the artifact's type, `name` the file's. A file that is there
    is not sent; the manifest is, as an earlier push may have ended before it was listed. Raises
    `RegistryError`.
    """
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "artifactType": media_type,
            "config": _descriptor(_EMPTY_TYPE, _EMPTY),
            "layers": [_descriptor(media_type, data) | {"annotations": {_TITLE: name}}],
            "subject": subject,
        }
    )
    descriptor = _descriptor(_MANIFEST, manifest) | {"artifactType": media_type}
    digest = str(descriptor["digest"])

    async def put(blob: Blob) -> None:
        if not await repository.has_blob(blob.digest):
            await repository.put_blob(blob)

    async with task_group() as tasks:
        for content in (_EMPTY, data):
            tasks.start_soon(put, blob_of_bytes(content, name))
    if not await repository.put_manifest(_MANIFEST, manifest, digest):
        await _list(repository, str(subject["digest"]), descriptor)
    return digest


async def attached(repository: Repository, subject: str, media_type: str) -> bytes | None:
    """Return the file of one type that is kept with the manifest `subject`, or None.

    Raises `RegistryError` and `HashError`. Of several, it is the one with the lowest digest.
    """
    found = await repository.referrers(subject, media_type)
    if found is None:
        listed = await repository.manifest(_stand_in(subject), [_INDEX])
        found = [] if listed is None else descriptors(listed.data)
    digests = sorted(str(e.get("digest")) for e in found if e.get("artifactType") == media_type)
    for digest in digests:
        manifest = await repository.manifest(digest, [_MANIFEST])
        for layer in _layers(manifest):
            if layer.get("mediaType") == media_type:
                return await repository.read_blob(str(layer.get("digest")), _LARGEST)
    return None


async def _list(repository: Repository, subject: str, descriptor: dict[str, Any]) -> None:
    """Name the artifact in the index that stands in for the registry's own list."""
    tag = _stand_in(subject)
    listed = await repository.manifest(tag, [_INDEX])
    others = [] if listed is None else descriptors(listed.data)
    by_digest = {str(each.get("digest")): each for each in others}
    if descriptor["digest"] in by_digest:
        return
    by_digest[str(descriptor["digest"])] = descriptor
    index = {
        "schemaVersion": 2,
        "mediaType": _INDEX,
        "manifests": [by_digest[digest] for digest in sorted(by_digest)],
    }
    etag = listed.etag if listed else None
    await repository.put_manifest(_INDEX, _json(index), tag, replaces=etag)


def _stand_in(digest: str) -> str:
    return digest.replace(":", "-")


def _layers(manifest: Manifest | None) -> list[dict[str, Any]]:
    return [] if manifest is None else objects(json_object(manifest.data).get("layers"))


def _descriptor(media_type: str, data: bytes) -> dict[str, Any]:
    digest = blob_of_bytes(data, "").digest
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def _json(value: object) -> bytes:
    return msgspec.json.encode(value, order="sorted")
