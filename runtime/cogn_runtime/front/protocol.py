"""HTTP/1.1 (RFC 9112) for one connection: requests with their limits, one answer after the other.

httptools cuts the bytes. A request is handed on when all of it is here, so that what is refused for
its head or its body never gets any further, and most answers need no task.
"""

from __future__ import annotations

import asyncio
import collections
import inspect
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Literal, cast

import httptools
import uvicorn
from uvicorn.server import ServerState

from cogn_runtime.front.deadline import Deadline
from cogn_runtime.front.http import Answer, EventStream, Request, Response, head

__all__ = ["MAX_BODY_BYTES", "MAX_HEAD_BYTES", "Connection", "Handler"]

MAX_HEAD_BYTES = 64 * 1024
"""The longest request line and headers."""
MAX_BODY_BYTES = 100 * 1024 * 1024
"""The longest request body, as with Cog."""
_MAX_BODIES_BYTES = 8 * MAX_BODY_BYTES
"""What all bodies that are being received may take together."""
_HEAD_SECONDS = 30.0
"""How long a head may take: from the connection, or from the first byte of a later request."""
_BODY_SECONDS = 300.0
"""How long the sending of a body may take."""
_TURN_BYTES = 1024 * 1024
"""After so many bytes of bodies the rest waits for the event loop's next turn: others come too."""
_OVER_SECONDS = 5.0
"""How long a client that was refused may go on sending."""

_JOINED_BYTES = 64 * 1024
"""Head and body of a shorter answer are put together; copying more costs more than it saves."""

_log = logging.getLogger("cogn.front")

Handler = Callable[[Request], Answer | Coroutine[Any, Any, Answer]]
"""Answers a request, at once or later."""

_Stage = Literal["idle", "head", "body", "answer", "over"]
"""What a connection is waiting for; `over` is that the client takes leave after a refusal."""


class _Received:
    """How many bytes of bodies are held while the rest of them arrives."""

    total = 0


class _Turn:
    """How many bytes of bodies were taken since one last had to wait for the next turn."""

    total = 0


class Connection(asyncio.Protocol):
    """One connection, as uvicorn makes them; what it serves is a `Handler`."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._handler = cast("Handler", config.loaded_app)
        self._most = config.limit_concurrency
        self._keep_alive_seconds = config.timeout_keep_alive
        self._state = server_state
        self._loop = _loop or asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        # What comes after the last request of a connection is passed over, not an error.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._transport: asyncio.Transport
        self._stage: _Stage = "head"
        self._deadline = Deadline(self._loop, self._expire)
        self._is_paused = False
        self._is_in_head = True
        self._head_bytes = 0
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: bytes | bytearray = b""
        self._waiting: collections.deque[tuple[Request, bool, bool]] = collections.deque()
        self._request: Request | None = None
        self._keeps = True
        self._is_chunked = True
        self._is_begun = False
        self._writable: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request."""
        self._transport = cast("asyncio.Transport", transport)
        self._state.connections.add(cast("Any", self))
        self._enter("head")

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who answers that nobody waits for it any more."""
        self._state.connections.discard(cast("Any", self))
        self._forget_body()
        self._waiting.clear()
        self._deadline.close()
        self.resume_writing()
        if self._request is not None:
            self._request.leave()

    def data_received(self, data: bytes) -> None:
        """Take bytes of requests; what is no HTTP, or too much, ends the connection."""
        if self._stage == "over":
            return
        if self._stage == "idle":
            self._enter("head")
        if self._is_in_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._keeps = False
        except httptools.HttpParserError:
            self._refuse(Response.text(400, "Invalid HTTP request received."))
            return
        if self._stage == "body":
            _Turn.total += len(data)
            if _Turn.total > _TURN_BYTES:
                self._pause()
        if self._is_in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(Response(431))

    def pause_writing(self) -> None:
        """Let `write_part` wait."""
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """Let `write_part` go on."""
        if self._writable is not None:
            self._writable.set_result(None)
            self._writable = None

    def shutdown(self) -> None:
        """End the connection after the answer that is due."""
        self._keeps = False
        if self._request is None and self._stage != "body":
            self._transport.close()

    # What the parser found.

    def on_message_begin(self) -> None:
        """Begin the head of a request."""
        self._is_in_head = True
        self._url = b""
        self._headers = {}

    def on_url(self, url: bytes) -> None:
        """Take a part of the request's target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those of one name are one list."""
        name = name.lower()
        before = self._headers.get(name)
        self._headers[name] = value if before is None else before + b", " + value

    def on_headers_complete(self) -> None:
        """Begin the body of a request."""
        self._is_in_head = False
        self._head_bytes = 0
        if self._request is None:
            self._enter("body")
        if self._headers.get(b"expect", b"").lower() == b"100-continue" and self._request is None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, part: bytes) -> None:
        """Take a part of a body, unless it is too long, or all that are on their way are."""
        if self._is_done():
            return
        if not self._body:
            self._body = part
        elif isinstance(self._body, bytes):
            self._body = bytearray(self._body)
            self._body += part
        else:
            self._body += part
        _Received.total += len(part)
        if len(self._body) > MAX_BODY_BYTES:
            message = f"The request body is longer than {MAX_BODY_BYTES} bytes"
            self._refuse(Response.text(413, message))
        elif _Received.total > _MAX_BODIES_BYTES:
            self._refuse(Response.text(503, "The server receives too many large requests"))

    def on_message_complete(self) -> None:
        """Answer a request, or keep it until the answers before it are sent."""
        if self._is_done():
            return
        body = self._body
        self._forget_body()
        raw_path = httptools.parse_url(self._url).path or b""
        request = Request(self._parser.get_method().decode(), raw_path, self._headers, body)
        is_old = self._parser.get_http_version() == "1.0"
        keeps = not is_old and self._parser.should_keep_alive()
        if self._request is None:
            self._serve(request, keeps=keeps, is_old=is_old)
        else:
            self._waiting.append((request, keeps, is_old))
            self._transport.pause_reading()

    # Answers.

    def _serve(self, request: Request, *, keeps: bool, is_old: bool) -> None:
        self._enter("answer")
        self._request = request
        self._keeps = self._keeps and keeps
        self._is_chunked = not is_old
        self._is_begun = False
        if self._most is not None and len(self._state.connections) >= self._most:
            self._keeps = False
            self._answer(Response.text(503, "Service Unavailable"))
            return
        try:
            answer = self._handler(request)
        except Exception:  # noqa: BLE001 - a fault of one request must not end the server
            self._fail()
            return
        if isinstance(answer, Response):
            self._answer(answer)
        else:
            task = self._loop.create_task(self._wait(request, answer))
            self._state.tasks.add(task)
            task.add_done_callback(self._state.tasks.discard)

    async def _wait(
        self, request: Request, answer: EventStream | Coroutine[Any, Any, Answer]
    ) -> None:
        try:
            known = await answer if inspect.iscoroutine(answer) else cast("EventStream", answer)
            if isinstance(known, EventStream):
                await known.send(request, self)
            else:
                self._answer(known)
        except Exception:  # noqa: BLE001 - a fault of one request must not end the server
            self._fail()

    def _fail(self) -> None:
        _log.exception("a request")
        self._keeps = False
        if self._is_begun:
            self._transport.close()
        else:
            self._answer(Response.text(500, "Internal Server Error"))

    def _answer(self, response: Response) -> None:
        """Send a whole answer."""
        request = self._request
        if request is None or self._transport.is_closing():
            return
        begin = self._head(response.status, response.fields())
        body = b"" if request.method == "HEAD" else response.body
        if len(body) <= _JOINED_BYTES:
            self._transport.write(begin + body)
        else:
            self._transport.writelines((begin, body))
        self._end()

    def write_head(self, content_type: bytes) -> None:
        """Begin an answer of unknown length, with status 200."""
        self._is_begun = True
        self._keeps = self._keeps and self._is_chunked
        headers = b"content-type: %s\r\ncache-control: no-cache\r\n" % content_type
        if self._is_chunked:
            headers += b"transfer-encoding: chunked\r\n"
        self._transport.write(self._head(200, headers))

    async def write_part(self, part: bytes) -> None:
        """Send more of the answer; returns when the client is ready for what comes next."""
        if self._is_chunked:
            self._transport.writelines((b"%x\r\n" % len(part), part, b"\r\n"))
        else:
            self._transport.write(part)
        if self._writable is not None:
            await asyncio.shield(self._writable)

    def write_end(self) -> None:
        """Say that this was all of the answer."""
        if self._is_chunked and not self._transport.is_closing():
            self._transport.write(b"0\r\n\r\n")
        self._end()

    def _head(self, status: int, headers: bytes) -> bytes:
        return head(status, self._state.default_headers, headers, keeps=self._keeps)

    def _end(self) -> None:
        """End an answer, and begin the next one."""
        self._request = None
        if self._stage == "over":
            return
        if not self._keeps:
            self._transport.close()
        elif self._waiting:
            request, keeps, is_old = self._waiting.popleft()
            self._request = request  # what comes before its turn has to wait
            if not self._waiting:
                self._transport.resume_reading()
            self._loop.call_soon(self._serve_next, request, keeps, is_old)
        else:
            self._enter("idle")

    def _serve_next(self, request: Request, keeps: bool, is_old: bool) -> None:
        if not self._transport.is_closing():
            self._serve(request, keeps=keeps, is_old=is_old)

    def _refuse(self, response: Response) -> None:
        """Answer what is no whole request, and end the connection.

        Where another request is being answered, its answer must not get this into it. What the
        client sends on is passed over for a while: one that finds the connection closed while it
        sends would not look for an answer.
        """
        self._keeps = False
        self._forget_body()
        if self._is_done():
            return
        if self._request is None:
            if self._stage == "body":
                self._enter("over")
            self._request = Request("", b"", {}, b"")
            self._answer(response)
        else:
            self._transport.close()

    def _pause(self) -> None:
        """Read on in the next turn."""
        if not (self._is_paused or self._transport.is_closing()):
            self._is_paused = True
            self._transport.pause_reading()
            self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        _Turn.total = 0
        self._is_paused = False
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def _is_done(self) -> bool:
        """Whether nothing is served any more."""
        return self._stage == "over" or self._transport.is_closing()

    def _forget_body(self) -> None:
        _Received.total -= len(self._body)
        self._body = b""

    # Time.

    def _enter(self, stage: _Stage) -> None:
        """Begin what has a limit of time, or an answer, which has none here."""
        self._stage = stage
        if stage == "answer":
            self._deadline.set(None)
        else:
            limits = {
                "idle": self._keep_alive_seconds,
                "head": _HEAD_SECONDS,
                "body": _BODY_SECONDS,
                "over": _OVER_SECONDS,
            }
            self._deadline.set(limits[stage])

    def _expire(self) -> None:
        if self._stage == "head":
            self._refuse(Response(408))
        elif self._stage == "body":
            self._refuse(Response.text(408, "The request body took too long"))
        else:
            self._transport.close()
