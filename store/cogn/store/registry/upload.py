"""Sending one blob to a repository (OCI distribution specification 1.1, "Push").

A blob goes in one PUT, or, when it is large, in chunks: those that the registry acknowledged are
not sent again after a failure. Registries differ in what they take; what one refuses is remembered
in its `UploadTraits`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import anyio

from cogn.report import Task
from cogn.store.errors import RegistryError
from cogn.store.registry.answer import Answer, RefusedError
from cogn.store.registry.auth import Scopes
from cogn.store.registry.blob import Blob, BlobReader
from cogn.store.registry.session import Session
from cogn.store.retry import UnavailableError, pause

if TYPE_CHECKING:
    import httpx

__all__ = ["Upload", "UploadTraits"]

_MEBIBYTE = 1 << 20
_SMALLEST_CHUNK = 64 << 10
_RANGE = re.compile(r"(?:bytes[= ])?0-(\d+)")
_SEPARATE = frozenset({401, 403, 408, 429})
"""Refusals of a chunk that say nothing about chunks as such."""


@dataclass(slots=True)
class UploadTraits:
    """What a registry takes, as far as it is known. Sizes are in bytes."""

    takes_chunks: bool = True
    largest_whole: int = 128 * _MEBIBYTE
    chunk: int = 64 * _MEBIBYTE
    unmountable: set[str] = field(default_factory=set)
    """Repositories from which nothing can be mounted."""


class Upload:
    """One blob on its way into a repository, whose API is below `path` of the session."""

    def __init__(
        self,
        blob: Blob,
        session: Session,
        path: str,
        *,
        scopes: Scopes,
        traits: UploadTraits,
    ) -> None:
        self._blob = blob
        self._session = session
        self._path = path
        self._scopes = scopes
        self._traits = traits
        self._task = Task()
        self._reader = BlobReader(blob)
        self._location: httpx.URL | None = None
        self._chunk = traits.chunk
        self._longest_chunk: int | None = None
        self._offset = 0
        """How much the registry has acknowledged."""
        self._shown = 0
        self.sent = 0
        """The bytes of the blob that went out, those sent twice counted twice."""

    async def mount(self, source: str) -> bool:
        """Tell whether the registry took the blob from its repository `source`.

        Where it did not, but opened an upload instead, that is the one which `run` uses.
        """
        if source in self._traits.unmountable:
            return False
        await self.cancel()
        query = urlencode({"mount": self._blob.digest, "from": source})
        try:
            answer = await self._session.send(
                "POST",
                f"{self._path}/blobs/uploads/?{query}",
                expected=(201, 202),
                scopes=(*self._scopes, f"repository:{source}:pull"),
            )
        except UnavailableError as error:
            if error.status is not None and not error.may_pass:
                self._traits.unmountable.add(source)
            return False
        if answer.status == HTTPStatus.CREATED:
            return True
        self._begun(answer)
        return False

    async def run(self, task: Task) -> None:
        """Send the blob, whose bytes are those of the task.

        Raises `UnavailableError`, and what the blob's stream raises.
        """
        self._task = task
        try:
            await self._persist()
        except BaseException:
            with anyio.CancelScope(shield=True), anyio.move_on_after(5):
                await self.cancel()
            raise
        finally:
            await self._reader.aclose()

    async def cancel(self) -> None:
        """Tell the registry, if an upload is open, that nothing more comes."""
        if self._location is not None:
            with suppress(UnavailableError, RegistryError):
                await self._session.send(
                    "DELETE", self._location, expected=(204, 202, 200), scopes=self._scopes
                )
            self._location = None

    async def _persist(self) -> None:
        failures = 0
        while True:
            before = self._offset
            try:
                await self._attempt()
            except UnavailableError as error:
                if self._offset > before:
                    failures = 0
                if self._learn(error):
                    await self.cancel()
                    self._offset = 0
                    continue
                failures += 1
                error.may_pass |= _is_lost(error)
                await pause(error, failures)
                if await self._is_there():
                    return
                await self._resume(error)
            else:
                return

    async def _attempt(self) -> None:
        """Bring what is missing; raises `UnavailableError` where that stops."""
        if self._location is None:
            await self._begin()
        if not self._goes_in_chunks:
            await self._put(content=True)
            return
        while self._offset < self._blob.size:
            if await self._patch():
                return
        await self._put(content=False)

    @property
    def _goes_in_chunks(self) -> bool:
        largest = min(self._traits.largest_whole, self._longest_chunk or self._blob.size)
        return self._traits.takes_chunks and (self._offset > 0 or self._blob.size > largest)

    async def _begin(self) -> None:
        answer = await self._session.send(
            "POST",
            f"{self._path}/blobs/uploads/",
            expected=(202,),
            scopes=self._scopes,
        )
        self._begun(answer)

    def _begun(self, answer: Answer) -> None:
        self._move(answer, required=True)
        self._offset = 0
        self._chunk = self._traits.chunk
        if shortest := _number(answer.headers.get("OCI-Chunk-Min-Length")):
            self._chunk = max(self._chunk, shortest)
        self._longest_chunk = _number(answer.headers.get("OCI-Chunk-Max-Length"))
        if self._longest_chunk:
            self._chunk = min(self._chunk, self._longest_chunk)

    async def _put(self, *, content: bool) -> None:
        """End the upload: with the whole blob, or with nothing more than its digest."""
        assert self._location is not None
        start, size = (0, self._blob.size) if content else (self._blob.size, 0)
        answer = await self._session.send(
            "PUT",
            _with_digest(self._location, self._blob.digest),
            expected=(201, 204),
            scopes=self._scopes,
            headers={"Content-Type": "application/octet-stream"},
            content=lambda: self._pieces(start, size),
            size=size,
        )
        got = self._session.scrubbed(answer.headers.get("Docker-Content-Digest", self._blob.digest))
        if got != self._blob.digest:
            self._location = None
            raise RegistryError(
                f"the registry says that it stored {got[:80]!r} instead of {self._blob.digest}"
            )
        self._location = None

    async def _patch(self) -> bool:
        """Send the next chunk; tell whether the registry took it for the end of the blob."""
        assert self._location is not None
        start = self._offset
        size = min(self._chunk, self._blob.size - start)
        answer = await self._session.send(
            "PATCH",
            self._location,
            expected=(202, 201, 204),
            scopes=self._scopes,
            headers={
                "Content-Type": "application/octet-stream",
                "Content-Range": f"{start}-{start + size - 1}",
            },
            content=lambda: self._pieces(start, size),
            size=size,
        )
        self._move(answer)
        received = _received(answer)
        self._offset = received if received and start < received <= start + size else start + size
        # Amazon's answers the last chunk with 201 and then refuses the closing PUT.
        ended = answer.status == HTTPStatus.CREATED and self._offset == self._blob.size
        return ended and await self._is_there()

    async def _pieces(self, start: int, size: int) -> AsyncIterator[bytes]:
        async for piece in self._reader.read(start, size):
            self.sent += len(piece)
            yield piece
            if (position := self._reader.position) > self._shown:
                self._task.advance(position - self._shown)
                self._shown = position

    def _learn(self, error: UnavailableError) -> bool:
        """Take a refusal as a fact about the registry; tell whether there is another way then."""
        traits, status = self._traits, error.status
        if status is None or self._location is None:
            return False
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            refused = self._chunk if self._goes_in_chunks else self._blob.size
            if refused <= _SMALLEST_CHUNK or not traits.takes_chunks:
                return False
            traits.largest_whole = min(traits.largest_whole, refused - 1)
            traits.chunk = min(traits.chunk, refused // 2)
            return True
        is_refusal = 400 <= status < 500 and status not in _SEPARATE
        is_first = self._goes_in_chunks and self._offset == 0
        if is_first and is_refusal and not _has_code(error, "BLOB_UPLOAD_UNKNOWN"):
            traits.takes_chunks = False
            return True
        return False

    async def _resume(self, error: UnavailableError) -> None:
        """Find out how much has arrived; begin anew when nobody can tell."""
        location, self._offset = self._location, 0
        if location is None or not self._traits.takes_chunks or _has_code(error, "DIGEST_INVALID"):
            await self.cancel()
            return
        try:
            answer = await self._session.send("GET", location, expected=(204,), scopes=self._scopes)
        except UnavailableError:
            self._location = None
            return
        received = _received(answer)
        if received is not None and received <= self._blob.size:
            self._move(answer)
            self._offset = received
        else:
            await self.cancel()

    async def _is_there(self) -> bool:
        """Tell whether the blob is whole after all: the answer that said so may have been lost."""
        try:
            answer = await self._session.send(
                "HEAD",
                f"{self._path}/blobs/{self._blob.digest}",
                expected=(200, 404),
                scopes=self._scopes,
            )
        except UnavailableError:
            return False
        if answer.status == HTTPStatus.NOT_FOUND:
            return False
        self._location = None
        return True

    def _move(self, answer: Answer, *, required: bool = False) -> None:
        """Go on where the registry says: a location may be relative, its query is the server's."""
        location = answer.headers.get("Location")
        if location:
            self._location = answer.url.join(location)
        elif required:
            raise UnavailableError("the server opened an upload without saying where")


def _with_digest(location: httpx.URL, digest: str) -> httpx.URL:
    text = str(location)
    return location.join(f"{text}{'&' if location.query else '?'}digest={quote(digest)}")


def _received(answer: Answer) -> int | None:
    """Return how many bytes an upload has by its ``Range``, None when it does not say.

    An upload without any has ``0-0``, as one of a single byte has: nobody sends such a chunk.
    """
    found = _RANGE.fullmatch(answer.headers.get("Range", ""))
    if found is None:
        return None
    last = int(found[1])
    return last + 1 if last else 0


def _number(value: str | None) -> int | None:
    return int(value) if value is not None and value.isdecimal() and int(value) > 0 else None


def _has_code(error: UnavailableError, *codes: str) -> bool:
    """Tell whether the registry gave one of these error codes of the distribution specification."""
    return isinstance(error, RefusedError) and any(e.get("code") in codes for e in error.errors)


def _is_lost(error: UnavailableError) -> bool:
    """Tell whether registry and client disagree about what has arrived: beginning anew helps."""
    return error.status == 416 or _has_code(error, "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID")
