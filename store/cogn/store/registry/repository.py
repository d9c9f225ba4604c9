"""One repository of a container registry (OCI distribution specification 1.1)."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from cogn.report import Reporter
from cogn.store.errors import DamagedBlobError, RegistryError
from cogn.store.registry.reference import Reference
from cogn.store.retry import UnavailableError, checked, retried, transport_errors

if TYPE_CHECKING:
    import httpx

__all__ = ["Repository"]

_OK, _UNAUTHORIZED, _FORBIDDEN = 200, 401, 403
_CHUNK = 1 << 20


class Repository:
    """Sends blobs and manifests to one repository. Make it with `Repository.open`."""

    def __init__(self, client: httpx.AsyncClient, reference: Reference, reporter: Reporter) -> None:
        self._client = client
        self._reporter = reporter
        self.reference = reference
        scheme = "http" if _is_loopback(reference.host) else "https"
        self._url = f"{scheme}://{reference.host}/v2/{reference.repository}"

    @classmethod
    @asynccontextmanager
    async def open(cls, reference: Reference, reporter: Reporter) -> AsyncIterator[Repository]:
        """Give a repository whose connections are closed when the block ends."""
        import httpx

        async with httpx.AsyncClient(timeout=httpx.Timeout(60.0, connect=20.0)) as client:
            yield cls(client, reference, reporter)

    async def has_blob(self, digest: str) -> bool:
        """Tell whether the repository has the blob."""
        url = f"{self._url}/blobs/{digest}"

        async def attempt() -> bool:
            async with transport_errors():
                response = await self._client.head(url, follow_redirects=True)
            return checked(response, 200, 404).status_code == _OK

        with self._explained(f"asking for {digest}"):
            return await retried(attempt)

    async def put_blob(self, digest: str, size: int, file: Path, *, name: str) -> None:
        """Send a file as the blob `digest`, streamed and hashed again on the way.

        Raises `DamagedBlobError` when the file is something else.
        """

        async def attempt() -> None:
            location = await self._upload_location()
            with self._reporter.task("Pushing", name, size) as task:

                async def content() -> AsyncIterator[bytes]:
                    sent = hashlib.sha256()
                    async with await anyio.open_file(file, "rb") as source:
                        while chunk := await source.read(_CHUNK):
                            sent.update(chunk)
                            task.advance(len(chunk))
                            yield chunk
                    if f"sha256:{sent.hexdigest()}" != digest:
                        raise DamagedBlobError(
                            f"`{file}` is damaged: it is not {digest} any more",
                            hint="remove that file, it is made again",
                        )

                await self._finish_upload(location, digest, size, content())

        with self._explained(f"sending {name}"):
            await retried(attempt)

    async def put_bytes(self, digest: str, data: bytes) -> None:
        """Send a small blob."""

        async def attempt() -> None:
            await self._finish_upload(await self._upload_location(), digest, len(data), data)

        with self._explained("sending the configuration"):
            await retried(attempt)

    async def put_manifest(self, media_type: str, data: bytes, version: str) -> None:
        """Send a manifest or an index, exactly these bytes, under a tag or its digest."""
        url = f"{self._url}/manifests/{version}"

        async def attempt() -> None:
            async with transport_errors():
                response = await self._client.put(
                    url, content=data, headers={"Content-Type": media_type}
                )
            checked(response, 201)

        with self._explained("sending the manifest"):
            await retried(attempt)

    async def _upload_location(self) -> httpx.URL:
        url = f"{self._url}/blobs/uploads/"
        async with transport_errors():
            response = await self._client.post(url)
        location = checked(response, 202).headers.get("Location")
        if location is None:
            raise UnavailableError("the server opened an upload without saying where")
        # Relative locations are allowed; what stands in the query has to be sent back.
        return response.url.join(location)

    async def _finish_upload(
        self, location: httpx.URL, digest: str, size: int, content: bytes | AsyncIterator[bytes]
    ) -> None:
        async with transport_errors():
            response = await self._client.put(
                location.copy_merge_params({"digest": digest}),
                content=content,
                headers={
                    "Content-Length": str(size),
                    "Content-Type": "application/octet-stream",
                },
            )
        checked(response, 201, 204)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except UnavailableError as error:
            hint = None
            if error.status in {_UNAUTHORIZED, _FORBIDDEN}:
                hint = "cogn cannot log in to registries yet: push to one that needs no credentials"
            raise RegistryError(
                f"cannot push to `{self.reference}`: {what}: {error}", hint=hint
            ) from error


def _is_loopback(host: str) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
