"""Requests and responses over ASGI 3, without a framework.

https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

import asyncio
import contextlib
import urllib.parse
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Iterator,
    MutableMapping,
    Sequence,
)
from dataclasses import dataclass, field
from typing import Any

import anyio
import msgspec

__all__ = [
    "MAX_BODY_BYTES",
    "EventStream",
    "Receive",
    "RefusedError",
    "Request",
    "Response",
    "Scope",
    "Send",
]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY_BYTES = 100 * 1024 * 1024
"""The longest request body, as with Cog."""
_MAX_BODIES_BYTES = 8 * MAX_BODY_BYTES
"""What all bodies that are being received may take together."""
_BODY_SECONDS = 300.0
"""How long the sending of a body may take."""

_encoder = msgspec.json.Encoder(order="sorted")


@dataclass(frozen=True)
class Response:
    """A whole answer."""

    status: int
    body: bytes = b""
    content_type: str | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    @classmethod
    def json(
        cls, status: int, content: object, *, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> Response:
        """Return an answer of compact JSON whose keys are sorted."""
        return cls(status, _encoder.encode(content), "application/json", list(headers))

    @classmethod
    def text(cls, status: int, content: str) -> Response:
        """Return an answer of plain text."""
        return cls(status, content.encode(errors="replace"), "text/plain; charset=utf-8")

    async def send(self, send: Send) -> None:
        """Send this answer, and nothing after it."""
        headers = [(b"content-length", str(len(self.body)).encode()), *self.headers]
        if self.content_type is not None:
            headers.append((b"content-type", self.content_type.encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


class EventStream:
    """An answer of server-sent events, sent as they come, until the last or the client is gone."""

    def __init__(
        self, events: AsyncGenerator[bytes, None], request: Request, ended: Callable[[], None]
    ) -> None:
        """Send `events`; `ended` is called when nobody reads them any more."""
        self._events = events
        self._request = request
        self._ended = ended

    async def send(self, send: Send) -> None:
        """Send this answer, and nothing after it."""
        headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

        async def watch() -> None:
            await self._request.gone()
            tasks.cancel_scope.cancel()

        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(watch)
                async with contextlib.aclosing(self._events) as events:
                    async for event in events:
                        await send({"type": "http.response.body", "body": event, "more_body": True})
                tasks.cancel_scope.cancel()
        finally:
            self._ended()
        await send({"type": "http.response.body"})


class RefusedError(Exception):
    """Raised when a request is not served; carries the answer that says why."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class _Received:
    """How many bytes of bodies are held while the rest of them arrives."""

    total = 0


class Request:
    """A request whose body has not been read yet."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self._raw_path: bytes = scope["raw_path"]
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._receive = receive

    def header(self, name: str) -> str:
        """Return the value of a header, given in lower case; empty when it is absent."""
        wanted = name.encode()
        return ", ".join(value.decode("latin-1") for key, value in self._headers if key == wanted)

    @property
    def segments(self) -> list[str]:
        """The parts of the path between slashes, each decoded: one may have a slash in it."""
        path = self._raw_path.partition(b"?")[0].decode("latin-1")
        return [urllib.parse.unquote(part) for part in path.split("/")[1:]]

    @contextlib.contextmanager
    def watched(self, gone: Callable[[], None]) -> Iterator[None]:
        """Within the block, call `gone` when the client goes away; its body was read before.

        A bare task of asyncio, on which the server runs: a task group takes several times as long.
        """

        async def watch() -> None:
            await self.gone()
            gone()

        task = asyncio.get_running_loop().create_task(watch())
        try:
            yield
        finally:
            task.cancel()

    async def gone(self) -> None:
        """Wait until the client has gone, after its body was read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def body(self) -> bytes:
        """Return the body.

        Raises RefusedError when it, or all that are on their way, are too long, when it takes too
        long, or when its sender has gone.
        """
        parts: list[bytes] = []
        length = 0
        try:
            with anyio.fail_after(_BODY_SECONDS):
                while True:
                    event = await self._receive()
                    if event["type"] == "http.disconnect":
                        raise RefusedError(Response.text(400, "The request body ended early"))
                    part = event.get("body", b"")
                    parts.append(part)
                    length += len(part)
                    _Received.total += len(part)
                    if length > MAX_BODY_BYTES:
                        message = f"The request body is longer than {MAX_BODY_BYTES} bytes"
                        raise RefusedError(Response.text(413, message))
                    if _Received.total > _MAX_BODIES_BYTES:
                        message = "The server receives too many large requests"
                        raise RefusedError(Response.text(503, message))
                    if not event.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            raise RefusedError(Response.text(408, "The request body took too long")) from None
        finally:
            _Received.total -= length
