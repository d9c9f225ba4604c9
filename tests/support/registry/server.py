"""Listens on two ports of the loopback address; each connection has a thread."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import threading
from collections.abc import Callable

from support.registry.connection import Connection, Traffic

__all__ = ["Server"]

_IDLE_SECONDS = 60.0


class Server:
    """Gives each connection, and the number of the port it came to, to `serve` in a thread."""

    def __init__(
        self, serve: Callable[[Connection, int], None], tls: ssl.SSLContext | None
    ) -> None:
        self._serve = serve
        self._tls = tls
        self._running: list[tuple[threading.Thread, Connection]] = []
        self._waker, self._wake = socket.socketpair()
        self._listeners = [socket.create_server(("127.0.0.1", 0), backlog=128) for _ in range(2)]
        self.hosts = [f"127.0.0.1:{each.getsockname()[1]}" for each in self._listeners]
        self.traffic = Traffic()
        self.connections = 0
        self.closing = threading.Event()
        """Set when the server closes: whoever waits has to stop."""
        self._acceptor = threading.Thread(target=self._accept, name="registry")
        self._acceptor.start()

    def close(self) -> None:
        """Break all connections off and wait for the threads."""
        self.closing.set()
        self._wake.close()
        self._acceptor.join()
        for each in [*self._listeners, self._waker]:
            each.close()
        for thread, connection in self._running:
            connection.interrupt()
            thread.join()

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._waker, selectors.EVENT_READ)
            for number, listener in enumerate(self._listeners):
                selector.register(listener, selectors.EVENT_READ, number)
            while not self.closing.is_set():
                for key, _ in selector.select():
                    if key.data is not None:
                        self._start(key.data)

    def _start(self, number: int) -> None:
        with contextlib.suppress(OSError):  # the client left already
            sock, _ = self._listeners[number].accept()
            sock.settimeout(_IDLE_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                # The handshake is made with the first read, in the connection's own thread.
                sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            connection = Connection(sock, self.traffic, self.closing)
            thread = threading.Thread(target=self._run, args=(connection, number))
            self.connections += 1
            self._running = [each for each in self._running if each[0].is_alive()]
            self._running.append((thread, connection))
            thread.start()

    def _run(self, connection: Connection, number: int) -> None:
        # Clients leave whenever they like: that is no error here.
        with contextlib.closing(connection), contextlib.suppress(OSError):
            self._serve(connection, number)
