"""A server that the server under test sends to: webhooks, and uploads."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """Answers with the next of `answers`, then 200, and says that the content is at `location`."""

    origin: str = ""
    location: str | None = "/elsewhere"
    answers: list[int] = field(default_factory=list)
    told: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)
    """The headers and content of each webhook."""
    put: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    """The path, headers and content of each upload."""
    may_answer: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"{self.origin}/hook?secret=1"

    @property
    def statuses(self) -> list[str]:
        return [body["status"] for _, body in self.told]


@contextmanager
def receiving() -> Iterator[Receiver]:
    received = Receiver()
    received.may_answer.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.told.append((dict(self.headers), json.loads(self.content())))
            self.answer()

        def do_PUT(self) -> None:
            received.put.append((self.path, dict(self.headers), self.content()))
            self.answer()

        def content(self) -> bytes:
            return self.rfile.read(int(self.headers["content-length"]))

        def answer(self) -> None:
            received.may_answer.wait(20)
            self.send_response(received.answers.pop(0) if received.answers else 200)
            if received.location is not None:
                self.send_header("location", received.location)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    received.origin = f"http://127.0.0.1:{server.server_port}"
    yield received
    received.may_answer.set()
    server.shutdown()
    server.server_close()
    thread.join()
