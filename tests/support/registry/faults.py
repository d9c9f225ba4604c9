"""Faults: which requests go wrong, and the ways in which any request can.

What only particular registries do is in `support.registry.quirks`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from urllib.parse import unquote

from support.registry.connection import Pace
from support.registry.endpoints import Endpoint
from support.registry.exchange import Effect, Exchange, RequestCut, ResponseCut
from support.registry.messages import Response, failure

__all__ = [
    "ALWAYS",
    "Answer",
    "CutRequest",
    "CutResponse",
    "Fault",
    "Redirect",
    "RevokeTokens",
    "SetHeader",
    "Silence",
    "SlowRequest",
    "SlowResponse",
    "every",
    "first",
    "nth",
]

ALWAYS = range(1, sys.maxsize)


def first(count: int) -> range:
    """Return the first so many occurrences."""
    return range(1, count + 1)


def nth(number: int) -> range:
    """Return one occurrence; the first is 1."""
    return range(number, number + 1)


def every(number: int) -> range:
    """Return each so many-th occurrence."""
    return range(number, sys.maxsize, number)


@dataclass(frozen=True)
class Fault:
    """An effect on some requests: of one endpoint or of all, and of those, some by number.

    `containing` is a piece of the path and query, such as a digest or a repository; what does not
    contain it is not counted.
    """

    effect: Effect
    on: Endpoint | None = None
    times: range = ALWAYS
    containing: str = ""

    def concerns(self, exchange: Exchange) -> bool:
        """Tell whether a request counts as an occurrence."""
        target = unquote(exchange.request.target)
        return self.on in {None, exchange.endpoint} and self.containing in target


_CODES = {
    401: "UNAUTHORIZED",
    403: "DENIED",
    405: "UNSUPPORTED",
    413: "SIZE_INVALID",
    416: "RANGE_INVALID",
    429: "TOOMANYREQUESTS",
}


@dataclass(frozen=True)
class Answer(Effect):
    """Another answer than the registry's, which does not act.

    :param code: of the specification's error body; guessed from the status if not given.
    :param body: another body than that.
    :param retry_after: seconds; with `dated` sent as an HTTP date.
    :param early: answer before the body is read; the connection is closed then.
    """

    status: int
    code: str | None = None
    message: str = "injected"
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_after: int | None = None
    dated: bool = False
    early: bool = False

    def before_body(self, exchange: Exchange) -> Response | None:
        """Answer, if it is to be before the body."""
        return self._response() if self.early else None

    def after_body(self, exchange: Exchange) -> Response | None:
        """Answer."""
        return self._response()

    def _response(self) -> Response:
        code = self.code or _CODES.get(self.status, "UNKNOWN")
        response = failure(self.status, code, self.message)
        if self.body is not None:
            response.headers["Content-Type"] = "text/plain"
            response.body = self.body
        if self.retry_after is not None:
            date = formatdate(time.time() + self.retry_after, usegmt=True)
            response.headers["Retry-After"] = date if self.dated else str(self.retry_after)
        response.headers.update(self.headers)
        return response


@dataclass(frozen=True)
class SetHeader(Effect):
    """A header of the response gets this value, which may be empty; ``None`` takes it away."""

    name: str
    value: str | None

    def on_response(self, exchange: Exchange, response: Response) -> None:
        """Change the header."""
        response.headers.pop(self.name, None)
        if self.value is not None:
            response.headers[self.name] = self.value


@dataclass(frozen=True)
class Redirect(Effect):
    """The client is sent to the other host, which serves the same without credentials."""

    status: int = 307

    def before_body(self, exchange: Exchange) -> Response | None:
        """Redirect, unless the request is there already."""
        if exchange.elsewhere:
            return None
        target = exchange.host.elsewhere_url(exchange.request.target)
        return Response(self.status, {"Location": target})


@dataclass(frozen=True)
class CutRequest(RequestCut, Effect):
    """The connection breaks while a request's body comes; see `RequestCut`."""

    def before_body(self, exchange: Exchange) -> None:
        """Say so to the server."""
        exchange.request_cut = self


@dataclass(frozen=True)
class CutResponse(ResponseCut, Effect):
    """The connection breaks while the response is sent; see `ResponseCut`."""

    def before_body(self, exchange: Exchange) -> None:
        """Say so to the server."""
        exchange.response_cut = self


@dataclass(frozen=True)
class SlowRequest(Pace, Effect):
    """The body is taken `step` bytes at a time, every `interval` seconds."""

    def before_body(self, exchange: Exchange) -> None:
        """Say so to the server."""
        exchange.request_pace = self


@dataclass(frozen=True)
class SlowResponse(Pace, Effect):
    """The response is sent `step` bytes at a time, every `interval` seconds."""

    def before_body(self, exchange: Exchange) -> None:
        """Say so to the server."""
        exchange.response_pace = self


@dataclass(frozen=True)
class Silence(Effect):
    """Nothing is read or said for a time, or until the server closes; then an RST."""

    seconds: float = 30.0

    def before_body(self, exchange: Exchange) -> None:
        """Wait."""
        exchange.host.wait(self.seconds)
        exchange.request_cut = RequestCut(after=0)


@dataclass(frozen=True)
class RevokeTokens(Effect):
    """All tokens are invalid from this request on, so it gets a 401."""

    def before_body(self, exchange: Exchange) -> None:
        """Revoke them."""
        exchange.host.revoke_tokens()
