"""What particular registries do, as effects. Those that say no endpoint need no `on`."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlsplit

from support.registry.endpoints import Endpoint
from support.registry.exchange import Effect, Exchange
from support.registry.manifests import descriptors, unknown_blobs
from support.registry.messages import Response, failure
from support.registry.store import Manifest, Upload

__all__ = [
    "ChunkLimits",
    "ClaimBlob",
    "Cookies",
    "CreatedOnPatch",
    "DeclineMount",
    "KeepPart",
    "Location",
    "LoseTail",
    "LoseUpload",
    "MaxBody",
    "MisreportRange",
    "NoReferrers",
    "RefuseBlob",
    "ShareOnReference",
]

_STARTS = frozenset({Endpoint.UPLOAD_START, Endpoint.MOUNT})
_SHORT, _CREATED = "has a short chunk", "was answered 201"


@dataclass(frozen=True)
class DeclineMount(Effect):
    """``on=MOUNT``: an upload session instead of the mount, which the specification allows."""

    def after_body(self, exchange: Exchange) -> Response | None:
        """Open one."""
        return exchange.api.blobs.start(exchange.route)


@dataclass(frozen=True)
class Location(Effect):
    """Where uploads are said to be.

    ``"path"`` is relative to the host and ``"name"`` to the request's path; ``"elsewhere"`` is on
    the other host. ``"query"`` has a parameter that has to be sent back; with ``"state"`` it names
    the offset, and is stale when the upload is longer or shorter (CNCF distribution: after a
    broken chunk, asking for the status gives a 404).
    """

    style: Literal["path", "name", "query", "state", "elsewhere"]

    def before_body(self, exchange: Exchange) -> Response | None:
        """Refuse a request for an upload without the parameter."""
        upload = exchange.upload
        if upload is None or self.style not in {"query", "state"}:
            return None
        if exchange.request.parameter("_state") == self._state(upload):
            return None
        return failure(404, "BLOB_UPLOAD_INVALID", "blob upload invalid")

    def on_response(self, exchange: Exchange, response: Response) -> None:
        """Say it in the style."""
        location = response.headers.get("Location", "")
        path = urlsplit(location).path
        uploads, _, name = path.rpartition("/")
        upload = exchange.api.store.uploads.get(name)
        if upload is None or not uploads.endswith("/blobs/uploads"):
            return
        locations = {
            "path": path,
            "name": name,
            "query": f"{location}?_state={quote(self._state(upload), safe='')}",
            "state": f"{location}?_state={quote(self._state(upload), safe='')}",
        }
        response.headers["Location"] = locations.get(self.style) or exchange.host.elsewhere_url(
            path
        )

    def _state(self, upload: Upload) -> str:
        # With what a client can spoil by decoding or encoding once too often.
        offset = len(upload.data) if self.style == "state" else 0
        return f"{offset}/+ =&%2F{upload.name}"


@dataclass(frozen=True)
class ChunkLimits(Effect):
    """Chunk lengths are announced and enforced (``OCI-Chunk-Min-Length`` and Replicate's maximum).

    Which chunk is the last is known when none follows: a chunk after one that is too short is
    refused.
    """

    shortest: int = 0
    longest: int | None = None

    def after_body(self, exchange: Exchange) -> Response | None:
        """Refuse a chunk that is too long, or that follows a short one."""
        upload, size = exchange.upload, len(exchange.body)
        chunked = exchange.endpoint is Endpoint.UPLOAD_PATCH or (upload and upload.data)
        if upload is None or not size or not chunked:
            return None
        if self.longest is not None and size > self.longest:
            return failure(413, "SIZE_INVALID", "the chunk is too long")
        if _SHORT in upload.marks:
            return failure(400, "SIZE_INVALID", "the chunk before was too short")
        return None

    def on_response(self, exchange: Exchange, response: Response) -> None:
        """Announce the limits; note a short chunk."""
        if exchange.endpoint in _STARTS and response.status == 202:
            response.headers["OCI-Chunk-Min-Length"] = str(self.shortest)
            if self.longest is not None:
                response.headers["OCI-Chunk-Max-Length"] = str(self.longest)
        if exchange.endpoint is Endpoint.UPLOAD_PATCH and response.status < 300:
            upload = exchange.upload
            if upload is not None and len(exchange.body) < self.shortest:
                upload.marks.add(_SHORT)


@dataclass(frozen=True)
class MaxBody(Effect):
    """``on=UPLOAD_PUT`` or another: a body over so many bytes is refused before it is read."""

    size: int

    def before_body(self, exchange: Exchange) -> Response | None:
        """Refuse it, if the client says its length."""
        return self._refusal(exchange.request.length or 0)

    def after_body(self, exchange: Exchange) -> Response | None:
        """Refuse it."""
        return self._refusal(len(exchange.body))

    def _refusal(self, size: int) -> Response | None:
        return failure(413, "SIZE_INVALID", "too large") if size > self.size else None


@dataclass(frozen=True)
class CreatedOnPatch(Effect):
    """A chunk is answered 201, and a ``PUT`` with more of the blob is refused after it (ECR)."""

    def after_body(self, exchange: Exchange) -> Response | None:
        """Refuse the ``PUT``."""
        upload = exchange.upload
        if exchange.endpoint is not Endpoint.UPLOAD_PUT or not exchange.body:
            return None
        if upload is None or _CREATED not in upload.marks:
            return None
        return failure(400, "BLOB_UPLOAD_INVALID", "the upload takes no more")

    def on_response(self, exchange: Exchange, response: Response) -> None:
        """Answer 201."""
        upload = exchange.upload
        if exchange.endpoint is Endpoint.UPLOAD_PATCH and response.status == 202 and upload:
            upload.marks.add(_CREATED)
            response.status = 201


@dataclass(frozen=True)
class LoseUpload(Effect):
    """The session is gone when the request comes."""

    def before_body(self, exchange: Exchange) -> None:
        """Forget it."""
        exchange.api.store.uploads.pop(exchange.route.reference, None)


@dataclass(frozen=True)
class LoseTail(Effect):
    """The last bytes of what the registry had acknowledged are gone when the request comes."""

    size: int

    def before_body(self, exchange: Exchange) -> None:
        """Forget them."""
        if (upload := exchange.upload) is not None:
            del upload.data[max(len(upload.data) - self.size, 0) :]


@dataclass(frozen=True)
class KeepPart(Effect):
    """``on=UPLOAD_PATCH``: the first bytes of a chunk are kept, and the answer's range says so."""

    size: int

    def on_response(self, exchange: Exchange, response: Response) -> None:
        """Forget the rest."""
        if (upload := exchange.upload) is not None and response.status < 300:
            del upload.data[len(upload.data) - max(len(exchange.body) - self.size, 0) :]
            response.headers["Range"] = upload.range


@dataclass(frozen=True)
class MisreportRange(Effect):
    """``Range`` is off by so many bytes from what the registry has."""

    by: int

    def on_response(self, exchange: Exchange, response: Response) -> None:
        """Say something else."""
        if "Range" in response.headers:
            end = int(response.headers["Range"].partition("-")[2])
            response.headers["Range"] = f"0-{max(end + self.by, 0)}"


@dataclass(frozen=True)
class ClaimBlob(Effect):
    """``on=BLOB_HEAD``: the blob is said to be there, whether it is or not.

    For the other lie there is ``Answer(404)``, for a wrong length ``SetHeader``.
    """

    size: int = 0

    def after_body(self, exchange: Exchange) -> Response | None:
        """Say so."""
        digest = exchange.route.reference
        headers = {"Content-Length": str(self.size), "Docker-Content-Digest": digest}
        return Response(200, headers)


@dataclass(frozen=True)
class RefuseBlob(Effect):
    """``on=MANIFEST_PUT``: this blob is said to be unknown, or else a manifest's last layer."""

    digest: str | None = None

    def after_body(self, exchange: Exchange) -> Response | None:
        """Refuse the manifest."""
        named = [each["digest"] for each in descriptors(_manifest(exchange))]
        refused = [self.digest] if self.digest else named[-1:]
        return unknown_blobs(refused) if refused else None


@dataclass(frozen=True)
class Cookies(Effect):
    """Every answer sets a cookie, and who sends one back fails the CSRF check (Harbor)."""

    def before_body(self, exchange: Exchange) -> Response | None:
        """Refuse a request with a cookie."""
        if "cookie" not in exchange.request.headers:
            return None
        return failure(403, "FORBIDDEN", "CSRF token not found in request")

    def on_response(self, exchange: Exchange, response: Response) -> None:
        """Set the cookie."""
        response.headers["Set-Cookie"] = "sid=1; Path=/; HttpOnly"


@dataclass(frozen=True)
class NoReferrers(Effect):
    """There is no referrers API, as in CNCF distribution: no ``OCI-Subject`` either."""

    def after_body(self, exchange: Exchange) -> Response | None:
        """Answer 404."""
        if exchange.endpoint is not Endpoint.REFERRERS:
            return None
        return Response(404, {"Content-Type": "text/plain"}, b"404 page not found\n")

    def on_response(self, exchange: Exchange, response: Response) -> None:
        """Remove the header."""
        response.headers.pop("OCI-Subject", None)


@dataclass(frozen=True)
class ShareOnReference(Effect):
    """A blob of another repository is there once a manifest names it (JFrog Artifactory)."""

    def after_body(self, exchange: Exchange) -> None:
        """Take over what the manifest names."""
        if exchange.endpoint is not Endpoint.MANIFEST_PUT:
            return
        store = exchange.api.store
        own = store.repository(exchange.route.repository).blobs
        with contextlib.suppress(ValueError, KeyError, TypeError):
            for each in descriptors(_manifest(exchange)):
                for other in list(store.repositories.values()):
                    if (data := other.blobs.get(each["digest"])) is not None:
                        own[each["digest"]] = data


def _manifest(exchange: Exchange) -> Manifest:
    media_type = exchange.request.headers.get("content-type", "")
    return Manifest(media_type, bytes(exchange.body))
