"""A TCP proxy that counts what goes over connections, headers and all."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Literal, Self

__all__ = ["CountingProxy"]

_PIECE = 1 << 16
_Direction = Literal["sent", "received"]


class CountingProxy:
    """Passes connections on to a server of this machine, at `server`; listens at `host` itself.

    `bytes` counts what clients have sent and received. What a client has seen is counted.
    """

    def __init__(self, server: str) -> None:
        name, _, port = server.partition(":")
        proxy, address = self, (name, int(port))

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                with socket.create_connection(address) as upstream:
                    back = upstream, self.request, "received"
                    answers = threading.Thread(target=proxy._pass, args=back)
                    answers.start()
                    proxy._pass(self.request, upstream, "sent")
                    answers.join()

        self.bytes: Counter[_Direction] = Counter()
        self._counting = threading.Lock()
        self._server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.host = f"127.0.0.1:{self._server.socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()  # waits for the connections
        self._thread.join()

    def _pass(self, source: socket.socket, target: socket.socket, direction: _Direction) -> None:
        with suppress(OSError):  # either side may hang up at any time
            while data := source.recv(_PIECE):
                with self._counting:
                    self.bytes[direction] += len(data)
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)
