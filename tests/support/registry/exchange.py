"""One request and how it is treated: what faults look at and change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from support.registry.api import Api
from support.registry.connection import Pace
from support.registry.endpoints import Endpoint, Route
from support.registry.messages import Request, Response
from support.registry.store import Upload

__all__ = ["Effect", "Exchange", "Host", "LoggedRequest", "RequestCut", "ResponseCut"]


class Host(Protocol):
    """What faults may ask of the server."""

    def elsewhere_url(self, target: str) -> str:
        """Return a URL of the other host that does there what the target does here."""

    def revoke_tokens(self) -> None:
        """Make all tokens invalid."""

    def wait(self, seconds: float) -> None:
        """Wait, but not longer than the server runs."""


@dataclass(frozen=True)
class RequestCut:
    """The connection breaks when so many bytes of the request's body were received.

    The registry does not act then; ``after=None`` is when the body is complete. An upload keeps
    the first `kept` bytes, or all that came. `reset` sends an RST, otherwise a FIN.
    """

    after: int | None = None
    kept: int | None = None
    reset: bool = True


@dataclass(frozen=True)
class ResponseCut:
    """The connection breaks when so many bytes of the response were sent: the registry has acted.

    With `of_body` its head does not count.
    """

    after: int = 0
    of_body: bool = False
    reset: bool = True


@dataclass
class Exchange:
    """A request, its body when that was read, and how the connection treats it."""

    request: Request
    route: Route
    api: Api
    host: Host
    elsewhere: bool
    """Whether it came to the other host."""
    body: bytearray = field(default_factory=bytearray)
    request_cut: RequestCut | None = None
    response_cut: ResponseCut | None = None
    request_pace: Pace | None = None
    response_pace: Pace | None = None

    @property
    def endpoint(self) -> Endpoint:
        """What the request asks for."""
        return self.route.endpoint

    @property
    def upload(self) -> Upload | None:
        """The upload session that the request is for."""
        return self.api.blobs.upload(self.route) if self.endpoint.of_upload else None


class Effect:
    """What a fault does. Each step does nothing here; a step that answers ends the exchange."""

    def before_body(self, exchange: Exchange) -> Response | None:
        """Act before credentials are checked and the body is read."""
        return None

    def after_body(self, exchange: Exchange) -> Response | None:
        """Act before the registry handles the request."""
        return None

    def on_response(self, exchange: Exchange, response: Response) -> None:
        """Change the response, whoever it is from."""


@dataclass
class LoggedRequest:
    """A request that came. What is secret in it stays out of the representation."""

    method: str
    path: str
    query: dict[str, list[str]]
    endpoint: Endpoint
    elsewhere: bool
    headers: Mapping[str, str] = field(repr=False)
    received: int = 0
    """Bytes of the body that came."""
    status: int | None = None
    """Of the response; ``None`` while and if there is none."""

    @property
    def authorization(self) -> str | None:
        """The scheme of the credentials that came with it."""
        return self.headers.get("authorization", "").partition(" ")[0] or None
