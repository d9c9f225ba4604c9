"""A client that makes the specification's requests one by one, for tests of registries."""

from __future__ import annotations

import json
import ssl

import httpx

from support.registry.manifests import OCI_INDEX, OCI_MANIFEST
from support.registry.store import digest_of

__all__ = ["BLOB", "CONFIG", "DIGEST", "MANIFEST", "Client", "code", "manifest", "where"]

BLOB = bytes(range(256)) * 40
DIGEST = digest_of(BLOB)
CONFIG = b"{}"


def manifest(*layers: bytes, config: bytes = CONFIG, **members: object) -> bytes:
    """Return an image manifest with these blobs, and with more or other members."""

    def descriptor(kind: str, data: bytes) -> dict[str, object]:
        media_type = f"application/vnd.oci.image.{kind}"
        return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}

    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor("config.v1+json", config),
        "layers": [descriptor("layer.v1.tar+gzip", each) for each in layers],
    }
    return json.dumps(document | members).encode()


MANIFEST = manifest(BLOB)


class Client(httpx.Client):
    """Follows no redirect and repeats nothing. `where` an upload is, its last response says."""

    def __init__(self, url: str, *, verify: ssl.SSLContext | bool = True) -> None:
        super().__init__(base_url=url, timeout=10, verify=verify)

    def start(self, repository: str = "team/model", query: str = "") -> httpx.Response:
        """Start an upload, or mount a blob."""
        return self.post(f"/v2/{repository}/blobs/uploads/{query}")

    def status(self, upload: httpx.Response) -> httpx.Response:
        """Ask how much of an upload is there."""
        return self.get(where(upload))

    def chunk(self, upload: httpx.Response, start: int, end: int) -> httpx.Response:
        """Send a piece of `BLOB`."""
        headers = {
            "Content-Range": f"{start}-{end - 1}",
            "Content-Type": "application/octet-stream",
        }
        return self.patch(where(upload), content=BLOB[start:end], headers=headers)

    def finish(
        self, upload: httpx.Response, data: bytes = b"", digest: str = DIGEST
    ) -> httpx.Response:
        """Send the rest, or all, and the digest."""
        return self.put(where(upload).copy_merge_params({"digest": digest}), content=data)

    def upload(self, data: bytes = BLOB, repository: str = "team/model") -> httpx.Response:
        """Send a blob in one piece."""
        return self.finish(self.start(repository), data, digest_of(data))

    def blob(self, digest: str = DIGEST, repository: str = "team/model") -> httpx.Response:
        """Get a blob."""
        return self.get(f"/v2/{repository}/blobs/{digest}")

    def blob_head(self, digest: str = DIGEST) -> httpx.Response:
        """Ask whether a blob is there."""
        return self.head(f"/v2/team/model/blobs/{digest}")

    def put_manifest(
        self,
        reference: str = "1",
        data: bytes = MANIFEST,
        media_type: str = OCI_MANIFEST,
        repository: str = "team/model",
    ) -> httpx.Response:
        """Send a manifest."""
        path = f"/v2/{repository}/manifests/{reference}"
        return self.put(path, content=data, headers={"Content-Type": media_type})

    def manifest(
        self, reference: str = "1", accept: str = f"{OCI_MANIFEST}, {OCI_INDEX}"
    ) -> httpx.Response:
        """Get a manifest."""
        return self.get(f"/v2/team/model/manifests/{reference}", headers={"Accept": accept})


def where(response: httpx.Response) -> httpx.URL:
    """Return where an upload goes on."""
    return response.url.join(response.headers["Location"])


def code(response: httpx.Response) -> str:
    """Return the code in the specification's error body."""
    errors: list[dict[str, str]] = response.json()["errors"]
    assert errors[0].keys() <= {"code", "message", "detail"}
    return errors[0]["code"]
