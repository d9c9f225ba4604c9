"""Blobs and uploads: the specification's pushing and pulling of blobs."""

from __future__ import annotations

import re

from support.registry.endpoints import Route
from support.registry.messages import Request, Response, failure
from support.registry.store import Store, Upload, digest_of, is_digest

__all__ = ["Blobs"]

_BYTES = "application/octet-stream"
_CONTENT_RANGE = re.compile(r"([0-9]+)-([0-9]+)")
_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)")


class Blobs:
    """Answers requests for blobs and uploads. Locations are paths."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, route: Route, request: Request) -> Response:
        """Give a blob, or the part of it that the client asks for; the same for ``HEAD``."""
        if not is_digest(route.reference):
            return _invalid_digest(route.reference)
        data = self._store.existing(route.repository).blobs.get(route.reference)
        if data is None:
            return _unknown_blob(route.reference)
        headers = {
            "Content-Type": _BYTES,
            "Docker-Content-Digest": route.reference,
            "Accept-Ranges": "bytes",
        }
        match = _RANGE.fullmatch(request.headers.get("range", ""))
        if match is None or match.group() == "bytes=-" or request.method == "HEAD":
            return Response(200, headers, data)
        first, last = match.groups()
        start = int(first) if first else max(len(data) - int(last), 0)
        end = min(int(last), len(data) - 1) if first and last else len(data) - 1
        if start > end:
            response = failure(416, "RANGE_INVALID", "there is no such part of the blob")
            response.headers["Content-Range"] = f"bytes */{len(data)}"
            return response
        headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
        return Response(206, headers, data[start : end + 1])

    def delete(self, route: Route) -> Response:
        """Remove a blob."""
        if self._store.existing(route.repository).blobs.pop(route.reference, None) is None:
            return _unknown_blob(route.reference)
        return Response(202)

    def mount(self, route: Route) -> Response:
        """Take a blob over from another repository; an upload session when it is not there."""
        source = self._store.existing(route.mount_from or "")
        if (data := source.blobs.get(route.reference)) is None:
            return self.start(route)
        self._store.repository(route.repository).blobs[route.reference] = data
        return _created(route.repository, route.reference)

    def start(self, route: Route) -> Response:
        """Open an upload session."""
        upload = self._store.start(route.repository)
        return Response(202, _progress(upload))

    def post(self, route: Route, digest: str, body: bytearray) -> Response:
        """Store a blob that came whole with the ``POST``."""
        return self._stored(route.repository, digest, body)

    def upload(self, route: Route) -> Upload | None:
        """Return the session that a request is for."""
        upload = self._store.uploads.get(route.reference)
        return upload if upload and upload.repository == route.repository else None

    def status(self, route: Route) -> Response:
        """Say how much of an upload is there."""
        upload = self.upload(route)
        return _unknown_upload() if upload is None else Response(204, _progress(upload))

    def patch(self, route: Route, request: Request, body: bytearray) -> Response:
        """Append a chunk."""
        if (upload := self.upload(route)) is None:
            return _unknown_upload()
        if request.headers.get("content-type", _BYTES) != _BYTES:
            return failure(400, "BLOB_UPLOAD_INVALID", f"a chunk's Content-Type is {_BYTES}")
        if (refusal := _misplaced(upload, request, len(body))) is not None:
            return refusal
        upload.data += body
        return Response(202, _progress(upload))

    def put(self, route: Route, request: Request, body: bytearray) -> Response:
        """Append what the request carries and make a blob of it all."""
        if (upload := self.upload(route)) is None:
            return _unknown_upload()
        digest = request.parameter("digest")
        if digest is None:
            return _invalid_digest("the digest is missing")
        if (refusal := _misplaced(upload, request, len(body))) is not None:
            return refusal
        del self._store.uploads[upload.name]
        return self._stored(route.repository, digest, upload.data + body if upload.data else body)

    def keep(self, route: Route, request: Request, part: bytearray) -> None:
        """Append what came of a body before the connection broke, as CNCF distribution does."""
        upload = self.upload(route)
        if upload is not None and _misplaced(upload, request, None) is None:
            upload.data += part

    def cancel(self, route: Route) -> Response:
        """Forget an upload."""
        if (upload := self.upload(route)) is None:
            return _unknown_upload()
        del self._store.uploads[upload.name]
        return Response(204)

    def _stored(self, repository: str, digest: str, data: bytearray) -> Response:
        if not is_digest(digest) or digest_of(data) != digest:
            return _invalid_digest(digest)
        self._store.repository(repository).blobs[digest] = bytes(data)
        return _created(repository, digest)


def _progress(upload: Upload) -> dict[str, str]:
    location = f"/v2/{upload.repository}/blobs/uploads/{upload.name}"
    return {"Location": location, "Range": upload.range}


def _misplaced(upload: Upload, request: Request, size: int | None) -> Response | None:
    """Return the refusal of a body that does not begin where the upload ends.

    `size` is the body's; ``None`` when it did not come whole.
    """
    if (text := request.headers.get("content-range")) is None:
        return None
    match = _CONTENT_RANGE.fullmatch(text)
    if match is None or int(match[1]) != len(upload.data):
        response = failure(416, "RANGE_INVALID", f"the upload has {upload.range}", text)
        response.headers.update(_progress(upload))
        return response
    if size is not None and int(match[2]) - int(match[1]) + 1 != size:
        return failure(400, "SIZE_INVALID", "the chunk is not as long as its range", text)
    return None


def _created(repository: str, digest: str) -> Response:
    location = f"/v2/{repository}/blobs/{digest}"
    return Response(201, {"Location": location, "Docker-Content-Digest": digest})


def _unknown_blob(digest: str) -> Response:
    return failure(404, "BLOB_UNKNOWN", "blob unknown to registry", digest)


def _unknown_upload() -> Response:
    return failure(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")


def _invalid_digest(detail: str) -> Response:
    message = "provided digest did not match uploaded content"
    return failure(400, "DIGEST_INVALID", message, detail)
