"""HTTP messages: a request as it was read, a response as it will be sent (RFC 9112)."""

from __future__ import annotations

import http
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote

__all__ = ["ProtocolError", "Request", "Response", "failure"]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LENGTH = re.compile(r"[0-9]{1,15}")
_NO_CONTENT = frozenset({204, 304})


class ProtocolError(Exception):
    """Raised when a client does not speak HTTP/1.1; `status` is the answer to it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Request:
    """A request without its body. Headers have lower-case names."""

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    length: int | None
    """The body's bytes; ``None`` when it comes in chunks."""
    keep_alive: bool

    @classmethod
    def parse(cls, head: bytes) -> Request:
        """Return the request that begins with these lines; raises `ProtocolError`."""
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, version = [*first.split(" "), "", ""][:3]
        if first.count(" ") != 2 or not _TOKEN.fullmatch(method) or not target.startswith("/"):
            raise ProtocolError(400, "the request line is malformed")
        if version not in {"HTTP/1.0", "HTTP/1.1"}:
            raise ProtocolError(505, f"`{version}` is not supported")
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            name = name.lower()
            if not colon or not _TOKEN.fullmatch(name):
                raise ProtocolError(400, "a header is malformed")
            if name in headers and name in {"content-length", "host", "authorization"}:
                raise ProtocolError(400, f"`{name}` is there twice")
            value = value.strip(" \t")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        if version == "HTTP/1.1" and "host" not in headers:
            raise ProtocolError(400, "there is no `Host`")
        closes = "close" in headers.get("connection", "").lower() or version == "HTTP/1.0"
        return cls(method, target, headers, _length(headers), keep_alive=not closes)

    @property
    def path(self) -> str:
        """The target's path, without percent-encoding."""
        return unquote(self.target.partition("?")[0])

    @property
    def query(self) -> dict[str, list[str]]:
        """The target's parameters."""
        return parse_qs(self.target.partition("?")[2], keep_blank_values=True)

    def parameter(self, name: str) -> str | None:
        """Return the first value of a parameter."""
        return self.query.get(name, [None])[0]

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for ``100 Continue`` before it sends the body."""
        return self.headers.get("expect", "").lower() == "100-continue"


def _length(headers: Mapping[str, str]) -> int | None:
    """Return how long the body is; ``None`` when it comes in chunks."""
    coding = headers.get("transfer-encoding")
    length = headers.get("content-length")
    if coding is not None:
        if length is not None or coding.lower() != "chunked":
            raise ProtocolError(400, "how long the body is remains unclear")
        return None
    if length is None:
        return 0
    if not _LENGTH.fullmatch(length):
        raise ProtocolError(400, "`Content-Length` is not a number")
    return int(length)


@dataclass
class Response:
    """What will be sent; faults change it before it is."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def of_json(
        cls, value: object, media_type: str = "application/json", *, status: int = 200
    ) -> Response:
        """Return a response with a JSON document."""
        return cls(status, {"Content-Type": media_type}, json.dumps(value).encode())

    def encode(self, *, method: str, close: bool) -> tuple[bytes, bytes]:
        """Return the head, with the framing that is missing, and the body to send after it."""
        headers = dict(self.headers)
        if self.status not in _NO_CONTENT:
            headers.setdefault("Content-Length", str(len(self.body)))
        if close:
            headers["Connection"] = "close"
        phrase = http.HTTPStatus(self.status).phrase if self.status in _PHRASES else ""
        lines = [f"HTTP/1.1 {self.status} {phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        body = b"" if method == "HEAD" or self.status in _NO_CONTENT else self.body
        return "\r\n".join([*lines, "", ""]).encode("latin-1"), body


_PHRASES = frozenset(status.value for status in http.HTTPStatus)


def failure(status: int, code: str, message: str, *details: object) -> Response:
    """Return the specification's error body, with a status: an error for each of the details."""
    errors = [{"code": code, "message": message, "detail": detail} for detail in details or [None]]
    return Response.of_json({"errors": errors}, status=status)
