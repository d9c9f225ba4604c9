"""One repository of a registry: its blobs and manifests (OCI distribution specification 1.1)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import anyio
import msgspec
from anyio.abc import ByteReceiveStream

from cogn.report import Reporter
from cogn.store.errors import AbsentError, HashError, RegistryError, UnknownBlobError
from cogn.store.registry.answer import Answer, RefusedError
from cogn.store.registry.auth import Scopes
from cogn.store.registry.blob import Blob
from cogn.store.registry.reference import Reference
from cogn.store.registry.session import Session
from cogn.store.registry.untrusted import json_object, objects
from cogn.store.registry.upload import Upload, UploadTraits
from cogn.store.retry import UnavailableError, retried, transport_errors

if TYPE_CHECKING:
    import httpx

__all__ = ["Manifest", "Repository", "descriptors"]

_UNKNOWN = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"})
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or an index as a registry gave it."""

    media_type: str
    data: bytes
    etag: str | None = None

    @property
    def digest(self) -> str:
        """Return ``sha256:<hex>`` of the exact bytes."""
        return f"sha256:{hashlib.sha256(self.data).hexdigest()}"


class Repository:
    """Blobs and manifests of one repository. Make it with `Registries.repository`."""

    def __init__(
        self,
        reference: Reference,
        session: Session,
        name: str,
        *,
        actions: str,
        traits: UploadTraits,
        reporter: Reporter,
    ) -> None:
        self.reference = reference
        self.name = name
        """What the registry calls the repository: configuration may rewrite the reference's."""
        self._session = session
        self._path = f"/v2/{name}"
        self._scopes: Scopes = (f"repository:{name}:{actions}",)
        self._traits = traits
        self._reporter = reporter

    async def has_blob(self, digest: str) -> bool:
        """Tell whether the repository has the blob."""
        return await self._exists(f"blobs/{digest}", f"asking for {digest}")

    async def has_manifest(self, version: str, media_type: str) -> bool:
        """Tell whether the repository has the manifest with that digest or tag."""
        headers = {"Accept": media_type}
        return await self._exists(f"manifests/{version}", f"asking for {version}", headers)

    async def can_read(self, digest: str) -> bool:
        """Tell whether the blob's first byte can be had, which says more than that it is known."""
        headers = {"Range": "bytes=0-0"}

        async def attempt() -> bool:
            path = f"{self._path}/blobs/{digest}"
            expected = (200, 206, 404, 416)
            async with self._session.stream(
                path, expected=expected, scopes=self._scopes, headers=headers
            ) as response:
                return response.status_code in {200, 206}

        return await self._asked(attempt, f"asking for {digest}")

    async def put_blob(self, blob: Blob, sources: Sequence[str] = ()) -> int:
        """Bring a blob here: mounted from one of `sources`, else sent. Return the bytes sent.

        `sources` are repositories of the same registry that may have it. Raises `RegistryError`,
        and what the blob's stream raises.
        """
        upload = self._upload(blob)
        with self._explained(f"sending {blob.name}"):
            for source in sources:
                if source != self.name and await upload.mount(source):
                    return 0
            with self._reporter.task("Pushing", blob.name, blob.size) as task:
                await upload.run(task)
        return upload.sent

    async def mount(self, blob: Blob, source: str) -> bool:
        """Tell whether the registry takes the blob from its repository `source`."""
        upload = self._upload(blob)
        try:
            return await upload.mount(source)
        finally:
            await upload.cancel()

    def _upload(self, blob: Blob) -> Upload:
        return Upload(blob, self._session, self._path, scopes=self._scopes, traits=self._traits)

    async def open_blob(self, digest: str, size: int | None = None) -> ByteReceiveStream:
        """Return the blob's bytes; their stream raises `HashError` when they are others.

        `size` is what its descriptor says; without it, the registry's word is taken. Raises
        `AbsentError` when the repository does not have it, `RegistryError` for any other failure.
        """
        stack = AsyncExitStack()

        async def attempt() -> httpx.Response:
            return await stack.enter_async_context(
                self._session.stream(
                    f"{self._path}/blobs/{digest}",
                    expected=(200, 404),
                    scopes=self._scopes,
                    headers={},
                )
            )

        response = await self._asked(attempt, f"fetching {digest}")
        if response.status_code == HTTPStatus.NOT_FOUND:
            await stack.aclose()
            raise AbsentError(f"`{self.reference}`: {digest} is not there")
        length = response.headers.get("Content-Length", "")
        stated = int(length) if length.isdecimal() else None
        return _BlobStream(response, digest, stated if size is None else size, stack)

    async def read_blob(self, digest: str, limit: int) -> bytes:
        """Return a small blob; raises `RegistryError` for one of more than `limit` bytes."""
        content = bytearray()
        async with await self.open_blob(digest) as stream:
            async for piece in stream:
                content += piece
                if len(content) > limit:
                    raise RegistryError(f"`{self.reference}`: {digest} is too large")
        return bytes(content)

    async def manifest(self, version: str, media_types: Sequence[str]) -> Manifest | None:
        """Return the manifest with that digest or tag, or None; raises `RegistryError`."""

        async def attempt() -> Answer:
            return await self._session.send(
                "GET",
                f"{self._path}/manifests/{version}",
                expected=(200, 404),
                scopes=self._scopes,
                headers={"Accept": ", ".join(media_types)},
            )

        answer = await self._asked(attempt, f"fetching the manifest {version}")
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        manifest = Manifest(media_type, answer.body, answer.headers.get("ETag"))
        if version.startswith("sha256:") and manifest.digest != version:
            raise HashError(f"`{self.reference}`: the manifest {version} is {manifest.digest}")
        return manifest

    async def put_manifest(
        self, media_type: str, data: bytes, version: str, *, replaces: str | None = None
    ) -> bool:
        """Send a manifest or an index, exactly these bytes, under a tag or its digest.

        `replaces` is the entity tag of what it takes the place of. Return whether the registry
        lists it among the referrers of its subject. Raises `UnknownBlobError` when the registry
        misses a blob, `RegistryError` for any other failure.
        """
        headers = {"Content-Type": media_type} | ({"If-Match": replaces} if replaces else {})

        async def attempt() -> Answer:
            return await self._session.send(
                "PUT",
                f"{self._path}/manifests/{version}",
                expected=(200, 201, 202),
                scopes=self._scopes,
                headers=headers,
                content=data,
            )

        answer = await self._asked(attempt, "sending the manifest")
        return "OCI-Subject" in answer.headers

    async def referrers(self, digest: str, artifact_type: str) -> list[dict[str, Any]] | None:
        """Return the descriptors of the artifacts of one type about the manifest `digest`.

        None where the registry has no such list.
        """
        query = urlencode({"artifactType": artifact_type})

        async def attempt() -> Answer:
            return await self._session.send(
                "GET",
                f"{self._path}/referrers/{digest}?{query}",
                expected=(200, 400, 404, 405),
                scopes=self._scopes,
            )

        answer = await self._asked(attempt, f"fetching the referrers of {digest}")
        if answer.status != HTTPStatus.OK:
            return None
        return [
            each
            for each in descriptors(answer.body)
            if each.get("artifactType") == artifact_type  # filtering is up to the registry
        ]

    async def _exists(self, path: str, what: str, headers: Mapping[str, str] | None = None) -> bool:
        async def attempt() -> Answer:
            return await self._session.send(
                "HEAD",
                f"{self._path}/{path}",
                expected=(200, 404),
                scopes=self._scopes,
                headers=headers,
            )

        return (await self._asked(attempt, what)).status == HTTPStatus.OK

    async def _asked(self, attempt: Callable[[], Awaitable[_T]], what: str) -> _T:
        with self._explained(what):
            return await retried(attempt)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except UnavailableError as error:
            message = self._session.scrubbed(f"`{self.reference}`: {what}: {error}")
            errors = error.errors if isinstance(error, RefusedError) else []
            if any(each.get("code") in _UNKNOWN for each in errors):
                raise UnknownBlobError(message, blobs=_digests(errors)) from error
            hint = None
            if error.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
                hint = f"log in with `cogn login {self.reference.host}` as somebody who may"
            raise RegistryError(message, hint=hint) from error


class _BlobStream(ByteReceiveStream):
    """The body of an answer, checked against the digest that it was asked for by."""

    def __init__(
        self, response: httpx.Response, digest: str, size: int | None, stack: AsyncExitStack
    ) -> None:
        self._chunks = response.aiter_raw()
        self._size = size
        self._read = 0
        self._digest = digest
        self._hash = hashlib.sha256()
        self._stack = stack

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Return the next bytes, however many; raises `HashError` rather than give wrong ones."""
        async with transport_errors():
            chunk = await anext(self._chunks, b"")
        self._hash.update(chunk)
        self._read += len(chunk)
        is_end = self._read >= self._size if chunk and self._size is not None else not chunk
        if is_end and not self._is_right:
            raise HashError(f"the registry gave other bytes for {self._digest}")
        if not chunk:
            raise anyio.EndOfStream
        return chunk

    @property
    def _is_right(self) -> bool:
        is_whole = self._size is None or self._read == self._size
        return is_whole and f"sha256:{self._hash.hexdigest()}" == self._digest

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stack.aclose()


def descriptors(body: bytes) -> list[dict[str, Any]]:
    """Return the descriptors in an image index; none of what is not one."""
    return objects(json_object(body).get("manifests"))


def _digests(errors: Sequence[dict[str, Any]]) -> frozenset[str]:
    """Return all digests in the details of errors, where each registry puts them elsewhere."""
    return frozenset(_DIGEST.findall(msgspec.json.encode(list(errors)).decode()))
