"""The registry for tests: each request's way through faults, credentials and the registry."""

from __future__ import annotations

import secrets
import ssl
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from support.registry.api import Api
from support.registry.auth import Authentication
from support.registry.connection import Connection
from support.registry.endpoints import Endpoint, Route
from support.registry.exchange import Effect, Exchange, LoggedRequest
from support.registry.faults import Fault
from support.registry.manifests import OCI_MANIFEST
from support.registry.messages import ProtocolError, Response, failure
from support.registry.server import Server
from support.registry.store import Manifest, Repository, Store, digest_of

__all__ = ["FakeRegistry"]

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_SIGNATURE = "signature"


class _CutError(Exception):
    """The connection ends here."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__()
        self.reset = reset


@dataclass
class _Armed:
    """A fault and how many of its occurrences there were."""

    fault: Fault
    seen: int = 0


class FakeRegistry:
    """A registry on this machine, strict about the specification, with the faults it is given.

    It answers on two ports: `host`, and `elsewhere`, to which locations and redirects can point.
    What is elsewhere needs no credentials but a URL that the registry gave; a request that brings
    credentials there is refused, as object stores do.
    """

    def __init__(
        self,
        *,
        auth: Authentication | None = None,
        faults: Iterable[Fault] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._auth = auth
        self._scheme = "http" if tls is None else "https"
        self._tls = tls
        self._store = Store()
        self._api = Api(self._store)
        self._signed: dict[str, str] = {}
        self._lock = threading.Lock()
        self._armed = [_Armed(fault) for fault in faults]
        self.requests: list[LoggedRequest] = []
        """All requests, in the order they came."""

    def __enter__(self) -> Self:
        self._server = Server(self._serve, self._tls)
        self.host, self.elsewhere = self._server.hosts
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    @property
    def url(self) -> str:
        """Where the registry is, without a slash at the end."""
        return f"{self._scheme}://{self.host}"

    @property
    def _elsewhere(self) -> str:
        return f"{self._scheme}://{self.elsewhere}"

    @property
    def repositories(self) -> dict[str, Repository]:
        """What is stored, by repository."""
        return self._store.repositories

    @property
    def uploads(self) -> int:
        """How many upload sessions are open."""
        return len(self._store.uploads)

    @property
    def received(self) -> int:
        """All bytes that came, heads included."""
        return self._server.traffic.received

    @property
    def sent(self) -> int:
        """All bytes that went out, heads included."""
        return self._server.traffic.sent

    @property
    def connections(self) -> int:
        """How many connections there were so far."""
        return self._server.connections

    def inject(self, *faults: Fault) -> None:
        """Add faults; their occurrences are counted from now on."""
        with self._lock:
            self._armed += [_Armed(fault) for fault in faults]

    def mend(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._armed.clear()

    def add_blob(self, repository: str, data: bytes) -> str:
        """Store a blob; return its digest."""
        digest = digest_of(data)
        self._store.repository(repository).blobs[digest] = data
        return digest

    def add_manifest(
        self, repository: str, data: bytes, tag: str | None = None, media_type: str = OCI_MANIFEST
    ) -> str:
        """Store a manifest, whatever it names; return its digest."""
        digest = digest_of(data)
        place = self._store.repository(repository)
        place.manifests[digest] = Manifest(media_type, data)
        if tag is not None:
            place.tags[tag] = digest
        return digest

    def elsewhere_url(self, target: str) -> str:
        """Return a URL of the other host that does there what the target does here."""
        signature = secrets.token_hex(16)
        path, _, query = target.partition("?")
        self._signed[signature] = path
        parameters = "&".join(filter(None, [query, f"{_SIGNATURE}={signature}"]))
        return f"{self._elsewhere}{path}?{parameters}"

    def revoke_tokens(self) -> None:
        """Make all tokens invalid."""
        if self._auth is not None:
            self._auth.revoke()

    def wait(self, seconds: float) -> None:
        """Wait, but not longer than the server runs."""
        self._server.closing.wait(seconds)

    def _serve(self, connection: Connection, number: int) -> None:
        try:
            while self._exchange(connection, elsewhere=number == 1):
                pass
        except ProtocolError as error:
            response = failure(error.status, "UNSUPPORTED", str(error))
            connection.send(b"".join(response.encode(method="GET", close=True)))
        except _CutError as broken:
            if broken.reset:
                connection.reset()
                return
        connection.finish()

    def _exchange(self, connection: Connection, *, elsewhere: bool) -> bool:
        """Answer one request; tell whether the connection stays open. Raises `_CutError`."""
        request = connection.receive_request()
        if request is None:
            return False
        route = Route.of(request)
        logged = LoggedRequest(
            request.method, request.path, request.query, route.endpoint, elsewhere, request.headers
        )
        self.requests.append(logged)
        exchange = Exchange(request, route, self._api, self, elsewhere)
        effects = self._effects(exchange)
        unread = request.length != 0
        response = _first(effect.before_body(exchange) for effect in effects)
        response = response or self._refusal(exchange)
        if response is None:
            self._receive_body(connection, exchange, logged)
            unread = False
            response = _first(effect.after_body(exchange) for effect in effects)
            response = response or self._handled(exchange)
        self._complete(exchange, response)
        for effect in effects:
            effect.on_response(exchange, response)
        stays = request.keep_alive and not unread
        self._respond(connection, exchange, response, logged, close=not stays)
        return stays

    def _effects(self, exchange: Exchange) -> list[Effect]:
        """Count the request; return the effects of the faults whose turn it is."""
        effects = []
        with self._lock:
            for armed in self._armed:
                if armed.fault.concerns(exchange):
                    armed.seen += 1
                    if armed.seen in armed.fault.times:
                        effects.append(armed.fault.effect)
        return effects

    def _refusal(self, exchange: Exchange) -> Response | None:
        """Return the answer to a request whose body need not be read."""
        request, route = exchange.request, exchange.route
        refusal = self._api.refusal(route, request)
        if refusal is not None or route.endpoint is Endpoint.TOKEN:
            return refusal
        if exchange.elsewhere:
            if "authorization" in request.headers:
                return failure(400, "UNSUPPORTED", "a signed URL wants no `Authorization`")
            if self._signed.get(request.parameter(_SIGNATURE) or "") != request.path:
                return failure(403, "DENIED", "the URL is not signed")
        elif self._auth is not None and not self._auth.admits(request, route.scopes):
            return failure(401, "UNAUTHORIZED", "authentication required", route.scopes)
        return None

    def _receive_body(
        self, connection: Connection, exchange: Exchange, logged: LoggedRequest
    ) -> None:
        request, cut = exchange.request, exchange.request_cut
        if request.expects_continue and request.length != 0:
            connection.send(_CONTINUE)
        most = None if cut is None else cut.after
        body = connection.receive_body(request, most=most, pace=exchange.request_pace)
        exchange.body = body.data
        logged.received = len(body.data)
        if cut is not None and len(body.data) >= (cut.after or 0):
            self._api.keep(exchange.route, request, body.data[: cut.kept])
            raise _CutError(reset=cut.reset)
        if not body.complete:
            self._api.keep(exchange.route, request, body.data)
            raise _CutError(reset=False)

    def _handled(self, exchange: Exchange) -> Response:
        if exchange.endpoint is not Endpoint.TOKEN:
            return self._api.handle(exchange.route, exchange.request, exchange.body)
        if self._auth is None:
            return failure(404, "NOT_FOUND", "there are no tokens")
        return self._auth.token(exchange.request, bytes(exchange.body))

    def _complete(self, exchange: Exchange, response: Response) -> None:
        """Add what any response has."""
        headers = response.headers
        headers["Docker-Distribution-Api-Version"] = "registry/2.0"
        if headers.get("Location", "").startswith("/"):
            headers["Location"] = self.url + headers["Location"]
        unknown = response.status == 401 and exchange.endpoint is not Endpoint.TOKEN
        if unknown and self._auth is not None:
            challenge = self._auth.challenge(
                exchange.route.scopes, url=self.url, elsewhere=self._elsewhere
            )
            headers.setdefault("WWW-Authenticate", challenge)

    def _respond(
        self,
        connection: Connection,
        exchange: Exchange,
        response: Response,
        logged: LoggedRequest,
        *,
        close: bool,
    ) -> None:
        head, body = response.encode(method=exchange.request.method, close=close)
        data, cut = head + body, exchange.response_cut
        end = len(data)
        if cut is not None:
            end = cut.after + (len(head) if cut.of_body else 0)
        if end:
            logged.status = response.status
        connection.send(data[:end], exchange.response_pace)
        if cut is not None and end <= len(data):
            raise _CutError(reset=cut.reset)


def _first(responses: Iterator[Response | None]) -> Response | None:
    return next((response for response in responses if response is not None), None)
