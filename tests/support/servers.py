"""Real servers on this machine, started for a test and stopped after it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, BaseServer, ThreadingTCPServer
from typing import Self

import httpx

_PIECE = 1 << 16


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
    """Tell whether a server answers there, whoever vouches for it."""
    try:
        return httpx.get(url, timeout=2.0, verify=False).status_code < 500
    except httpx.HTTPError:
        return False


@contextmanager
def running_registry(
    directory: Path,
    *,
    certificate: tuple[Path, Path] | None = None,
    authentication: Mapping[str, object] | None = None,
    relative: bool = False,
    log: Path | None = None,
) -> Iterator[str]:
    """Run CNCF distribution on a free port; give ``host:port``.

    With a `certificate` and its key it speaks TLS; `authentication` is the ``auth`` of its
    configuration, and `relative` has it send locations without a host. It writes a line for each
    request to `log`, in Apache's format, and what it holds to ``data`` in the directory.
    """
    port = free_port()
    http: dict[str, object] = {"addr": f"127.0.0.1:{port}", "relativeurls": relative}
    if certificate is not None:
        http["tls"] = dict(zip(("certificate", "key"), map(str, certificate), strict=True))
    settings = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": log is None}},
        "storage": {"filesystem": {"rootdirectory": str(directory / "data")}},
        "http": http,
        "auth": authentication or {},
    }
    config = directory / "registry.yml"
    config.write_text(json.dumps(settings))  # which is YAML too
    scheme = "http" if certificate is None else "https"
    with (log or Path(os.devnull)).open("ab") as out:
        process = subprocess.Popen(
            ["docker-registry", "serve", config], stdout=out, stderr=subprocess.DEVNULL
        )
    try:
        wait_until(lambda: answers(f"{scheme}://127.0.0.1:{port}/v2/"), "the registry's start")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


class _InThread:
    """A server that a thread runs until the block ends."""

    _server: BaseServer

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Relay(_InThread):
    """Passes what comes to a port of its own on to `target`, and what comes back.

    `passing` is called before each piece, of one direction or the other, from several threads; an
    `OSError` of it breaks the connection.
    """

    def __init__(self, target: str, passing: Callable[[], None]) -> None:
        self._target = target
        self._passing = passing

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError), outer._connected() as other:
                    back = threading.Thread(target=outer._pass_on, args=(other, self.request))
                    back.start()
                    outer._pass_on(self.request, other)
                    back.join()

        self._server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._start()
        return self

    def _connected(self) -> socket.socket:
        host, _, port = self._target.partition(":")
        return socket.create_connection((host, int(port)))

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(_PIECE):
                self._passing()
                target.sendall(piece)
        for each in (source, target):  # neither side has anybody to talk to any more
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


Answer = tuple[int, bytes] | tuple[int, bytes, dict[str, str]]


class ScriptedServer(_InThread):
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
        self._start()
        return self
