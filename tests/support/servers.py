"""Real servers on this machine, started for a test and stopped after it."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import httpx


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(check: Callable[[], bool], what: str, *, seconds: float = 30.0) -> None:
    """Wait until `check` is true; fail when it takes too long."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, f"{what} took longer than {seconds} s"
        time.sleep(0.02)


def answers(url: str) -> bool:
    """Tell whether a server answers there."""
    try:
        return httpx.get(url, timeout=2.0).status_code < 500
    except httpx.HTTPError:
        return False


@contextmanager
def running_registry(directory: Path) -> Iterator[str]:
    """Run CNCF distribution on a free port; give ``host:port``."""
    port = free_port()
    config = directory / "registry.yml"
    config.write_text(
        "version: 0.1\n"
        "log: {level: error, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {directory / 'data'}}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    process = subprocess.Popen(
        ["docker-registry", "serve", config],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/v2/"), "the registry's start")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


Answer = tuple[int, bytes] | tuple[int, bytes, dict[str, str]]


class ScriptedServer:
    """An HTTP server that gives the listed answers, one a request, the last one again and again.

    An answer is a status, a body and, if wanted, headers; a wrong ``Content-Length`` breaks the
    connection. `requests` are the request lines so far.
    """

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._answers = list(answers)
        self.requests: list[str] = []

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.requests.append(f"{self.command} {self.path}")
                status, body, *rest = (
                    outer._answers.pop(0) if len(outer._answers) > 1 else outer._answers[0]
                )
                headers = {"Content-Length": str(len(body))} | dict(*rest)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)
                self.close_connection = headers["Content-Length"] != str(len(body))

            do_GET = do_HEAD = do_POST = do_PUT = answer  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
