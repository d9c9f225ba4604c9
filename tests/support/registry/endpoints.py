"""Which endpoint of the distribution specification a request is for, and what it names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from support.registry.messages import Request

__all__ = ["Endpoint", "Route"]


class Endpoint(StrEnum):
    """What a request asks for."""

    PING = "ping"
    TOKEN = "token"
    BLOB_HEAD = "blob head"
    BLOB_GET = "blob get"
    BLOB_DELETE = "blob delete"
    MOUNT = "mount"
    UPLOAD_START = "upload start"
    """``POST``, with the whole blob or without."""
    UPLOAD_STATUS = "upload status"
    UPLOAD_PATCH = "upload patch"
    UPLOAD_PUT = "upload put"
    UPLOAD_DELETE = "upload delete"
    MANIFEST_HEAD = "manifest head"
    MANIFEST_GET = "manifest get"
    MANIFEST_PUT = "manifest put"
    MANIFEST_DELETE = "manifest delete"
    TAGS = "tags"
    REFERRERS = "referrers"
    METHOD_NOT_ALLOWED = "method not allowed"
    NOTHING = "nothing"

    @property
    def of_upload(self) -> bool:
        """Whether it is about an upload session that exists."""
        return self in _OF_UPLOAD


_OF_UPLOAD = frozenset(
    {
        Endpoint.UPLOAD_STATUS,
        Endpoint.UPLOAD_PATCH,
        Endpoint.UPLOAD_PUT,
        Endpoint.UPLOAD_DELETE,
    }
)

_E = Endpoint
_PATHS: tuple[tuple[re.Pattern[str], dict[str, Endpoint]], ...] = (
    (re.compile(r"/v2/"), {"GET": _E.PING}),
    (re.compile(r"/token"), {"GET": _E.TOKEN, "POST": _E.TOKEN}),
    (re.compile(r"/v2/(.+)/blobs/uploads/"), {"POST": _E.UPLOAD_START}),
    (
        re.compile(r"/v2/(.+)/blobs/uploads/([^/]+)"),
        {
            "GET": _E.UPLOAD_STATUS,
            "PATCH": _E.UPLOAD_PATCH,
            "PUT": _E.UPLOAD_PUT,
            "DELETE": _E.UPLOAD_DELETE,
        },
    ),
    (
        re.compile(r"/v2/(.+)/blobs/([^/]+)"),
        {"HEAD": _E.BLOB_HEAD, "GET": _E.BLOB_GET, "DELETE": _E.BLOB_DELETE},
    ),
    (
        re.compile(r"/v2/(.+)/manifests/([^/]+)"),
        {
            "HEAD": _E.MANIFEST_HEAD,
            "GET": _E.MANIFEST_GET,
            "PUT": _E.MANIFEST_PUT,
            "DELETE": _E.MANIFEST_DELETE,
        },
    ),
    (re.compile(r"/v2/(.+)/tags/list"), {"GET": _E.TAGS}),
    (re.compile(r"/v2/(.+)/referrers/([^/]+)"), {"GET": _E.REFERRERS}),
)


@dataclass(frozen=True)
class Route:
    """An endpoint with its parameters."""

    endpoint: Endpoint
    repository: str = ""
    reference: str = ""
    """A digest, a tag, or the name of an upload session."""
    mount_from: str | None = None

    @classmethod
    def of(cls, request: Request) -> Route:
        """Return what a request is for."""
        for pattern, methods in _PATHS:
            if (match := pattern.fullmatch(request.path)) is None:
                continue
            endpoint = methods.get(request.method, Endpoint.METHOD_NOT_ALLOWED)
            repository, reference = [*match.groups(), "", ""][:2]
            if endpoint is Endpoint.UPLOAD_START and "mount" in request.query:
                digest = request.parameter("mount") or ""
                return cls(Endpoint.MOUNT, repository, digest, request.parameter("from"))
            return cls(endpoint, repository, reference)
        return cls(Endpoint.NOTHING)

    @property
    def scopes(self) -> list[str]:
        """What a token has to be good for, as ``repository:NAME:ACTION,…``."""
        if not self.repository:
            return []
        actions = _ACTIONS.get(self.endpoint, "pull")
        scopes = [f"repository:{self.repository}:{actions}"]
        if self.mount_from:
            scopes.append(f"repository:{self.mount_from}:pull")
        return scopes


_ACTIONS = dict.fromkeys(
    [
        Endpoint.MOUNT,
        Endpoint.UPLOAD_START,
        Endpoint.UPLOAD_STATUS,
        Endpoint.UPLOAD_PATCH,
        Endpoint.UPLOAD_PUT,
        Endpoint.UPLOAD_DELETE,
        Endpoint.MANIFEST_PUT,
    ],
    "pull,push",
) | dict.fromkeys([Endpoint.BLOB_DELETE, Endpoint.MANIFEST_DELETE], "delete")
