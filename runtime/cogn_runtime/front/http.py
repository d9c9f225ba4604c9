"""Requests, and the answers to them, as the rest of the server knows them."""

from __future__ import annotations

import asyncio
import http
import urllib.parse
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Protocol

import msgspec

__all__ = ["Answer", "EventStream", "RefusedError", "Request", "Response", "Writer", "head"]

_STATUS_LINES = {
    each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in http.HTTPStatus
}

_encoder = msgspec.json.Encoder(order="sorted")


class Response(msgspec.Struct, frozen=True):
    """A whole answer."""

    status: int
    body: bytes = b""
    content_type: str | None = None
    headers: Sequence[tuple[bytes, bytes]] = ()

    @classmethod
    def json(
        cls, status: int, content: object, *, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> Response:
        """Return an answer of compact JSON whose keys are sorted."""
        return cls(status, _encoder.encode(content), "application/json", headers)

    @classmethod
    def text(cls, status: int, content: str) -> Response:
        """Return an answer of plain text."""
        return cls(status, content.encode(errors="replace"), "text/plain; charset=utf-8")

    def fields(self) -> bytes:
        """Return the headers as they are sent."""
        fields = b"content-length: %d\r\n" % len(self.body)
        if self.content_type is not None:
            fields += b"content-type: %s\r\n" % self.content_type.encode()
        return fields + b"".join([b"%s: %s\r\n" % each for each in self.headers])


def head(
    status: int, general: Sequence[tuple[bytes, bytes]], fields: bytes, *, keeps: bool
) -> bytes:
    """Return what comes before the body of an answer: `general` headers, and its own `fields`.

    It `keeps` the connection open, or says that the connection ends.
    """
    line = _STATUS_LINES[status] + b"".join([b"%s: %s\r\n" % each for each in general])
    return line + fields + (b"\r\n" if keeps else b"connection: close\r\n\r\n")


class Writer(Protocol):
    """Takes an answer of unknown length to the client."""

    def write_head(self, content_type: bytes) -> None:
        """Begin the answer, with status 200."""

    async def write_part(self, part: bytes) -> None:
        """Send more of it; returns when the client is ready for what comes next."""

    def write_end(self) -> None:
        """Say that this was all."""


class EventStream:
    """An answer of server-sent events, sent as they come, until the last or the client is gone."""

    def __init__(self, events: AsyncIterator[bytes], ended: Callable[[], None]) -> None:
        """Send `events`; `ended` is called when nobody reads them any more."""
        self._events = events
        self._ended = ended

    async def send(self, request: Request, writer: Writer) -> None:
        """Send this answer to who made the request, and nothing after it."""
        task = asyncio.current_task()
        assert task is not None
        writer.write_head(b"text/event-stream")
        request.watch(task.cancel)
        try:
            async for events in self._events:
                await writer.write_part(events)
        finally:
            request.watch(None)
            self._ended()
        writer.write_end()


Answer = Response | EventStream


class RefusedError(Exception):
    """Raised when a request is not served; carries the answer that says why."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class Request:
    """A request with its whole body; the names of the headers are in lower case."""

    __slots__ = ("_gone", "_headers", "_is_gone", "_raw_path", "body", "method", "path")

    def __init__(
        self,
        method: str,
        raw_path: bytes,
        headers: Mapping[bytes, bytes],
        body: bytes | bytearray,
    ) -> None:
        self.method = method
        self.body = body
        self.path = raw_path.decode("ascii")
        if "%" in self.path:
            self.path = urllib.parse.unquote(self.path)
        self._raw_path = raw_path
        self._headers = headers
        self._gone: Callable[[], object] | None = None
        self._is_gone = False

    def header(self, name: str) -> str:
        """Return the value of a header, given in lower case; empty when it is absent."""
        value = self._headers.get(name.encode())
        return "" if value is None else value.decode("latin-1")

    @property
    def segments(self) -> list[str]:
        """The parts of the path between slashes, each decoded: one may have a slash in it."""
        return [urllib.parse.unquote(part) for part in self._raw_path.decode().split("/")[1:]]

    def watch(self, gone: Callable[[], object] | None) -> None:
        """Call `gone` when the client goes away before it has its answer, or has gone already."""
        self._gone = gone
        if self._is_gone and gone is not None:
            gone()

    def leave(self) -> None:
        """Say that the client has gone away."""
        self._is_gone = True
        if self._gone is not None:
            self._gone()
