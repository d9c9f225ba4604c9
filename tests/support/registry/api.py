"""The registry without faults: a strict implementation of the distribution specification 1.1."""

from __future__ import annotations

import re
import threading

from support.registry.blobs import Blobs
from support.registry.endpoints import Endpoint, Route
from support.registry.manifests import LARGEST_MANIFEST, Manifests
from support.registry.messages import Request, Response, failure
from support.registry.store import Store

__all__ = ["Api"]

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")


class Api:
    """Answers requests from a store. Locations are paths: where they are is the server's matter."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.blobs = Blobs(store)
        self._manifests = Manifests(store)
        self._lock = threading.Lock()

    def refusal(self, route: Route, request: Request) -> Response | None:
        """Return the answer to a request whose body need not be read."""
        # Not the specification's errors: CNCF distribution does not reach its own code here either.
        if route.endpoint is Endpoint.NOTHING:
            return Response(404, {"Content-Type": "text/plain"}, b"404 page not found\n")
        if route.endpoint is Endpoint.METHOD_NOT_ALLOWED:
            return Response(405, {"Content-Type": "text/plain"}, b"Method not allowed\n")
        if route.repository and not _REPOSITORY.fullmatch(route.repository):
            return failure(400, "NAME_INVALID", "invalid repository name", route.repository)
        too_large = (request.length or 0) > LARGEST_MANIFEST
        if route.endpoint is Endpoint.MANIFEST_PUT and too_large:
            return failure(413, "SIZE_INVALID", "the manifest is too large")
        return None

    def handle(self, route: Route, request: Request, body: bytearray) -> Response:
        """Return the answer to a request that came whole."""
        with self._lock:
            return self._handle(route, request, body)

    def keep(self, route: Route, request: Request, part: bytearray) -> None:
        """Take what came of a request's body before the connection broke."""
        with self._lock:
            if route.endpoint in {Endpoint.UPLOAD_PATCH, Endpoint.UPLOAD_PUT}:
                self.blobs.keep(route, request, part)

    def _handle(self, route: Route, request: Request, body: bytearray) -> Response:
        match route.endpoint:
            case Endpoint.PING:
                return Response.of_json({})
            case Endpoint.BLOB_HEAD | Endpoint.BLOB_GET:
                return self.blobs.get(route, request)
            case Endpoint.BLOB_DELETE:
                return self.blobs.delete(route)
            case Endpoint.MOUNT:
                return self.blobs.mount(route)
            case Endpoint.UPLOAD_START:
                if (digest := request.parameter("digest")) is not None:
                    return self.blobs.post(route, digest, body)
                return self.blobs.start(route)
            case Endpoint.UPLOAD_STATUS:
                return self.blobs.status(route)
            case Endpoint.UPLOAD_PATCH:
                return self.blobs.patch(route, request, body)
            case Endpoint.UPLOAD_PUT:
                return self.blobs.put(route, request, body)
            case Endpoint.UPLOAD_DELETE:
                return self.blobs.cancel(route)
            case Endpoint.MANIFEST_HEAD | Endpoint.MANIFEST_GET:
                return self._manifests.get(route, request)
            case Endpoint.MANIFEST_PUT:
                return self._manifests.put(route, request, body)
            case Endpoint.MANIFEST_DELETE:
                return self._manifests.delete(route)
            case Endpoint.TAGS:
                return self._manifests.tags(route, request)
            case Endpoint.REFERRERS:
                return self._manifests.referrers(route, request)
        raise AssertionError(f"{route} is answered elsewhere")
