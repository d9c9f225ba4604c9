"""One client's connection: bytes in, bytes out, counted, and cut wherever a fault wants it."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from dataclasses import dataclass

from support.registry.messages import ProtocolError, Request

__all__ = ["Body", "Connection", "Pace", "Traffic"]

_STEP = 1 << 18
_LONGEST_HEAD = 1 << 16
_LONGEST_LINE = 1 << 12
_LARGEST_BODY = 1 << 31
_LINGER_SECONDS = 1.0


class Traffic:
    """The bytes of all connections so far, heads included; of TLS, what is inside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.received = 0
        self.sent = 0

    def add(self, *, received: int = 0, sent: int = 0) -> None:
        """Count bytes."""
        with self._lock:
            self.received += received
            self.sent += sent


@dataclass(frozen=True)
class Pace:
    """So many bytes at a time, and so long between them."""

    step: int
    interval: float


@dataclass(frozen=True)
class Body:
    """What came of a request's body."""

    data: bytearray
    complete: bool


class Connection:
    """Reads requests from a socket and writes to it. Waiting ends when the server closes."""

    def __init__(self, sock: socket.socket, traffic: Traffic, closing: threading.Event) -> None:
        self._socket = sock
        self._traffic = traffic
        self._closing = closing
        self._buffer = bytearray()

    def receive_request(self) -> Request | None:
        """Return the next request's head, or ``None`` when the client has no more.

        Raises `ProtocolError`.
        """
        while (end := self._buffer.find(b"\r\n\r\n")) < 0 and len(self._buffer) <= _LONGEST_HEAD:
            if not self._fill():
                return None
            if not self._buffer[:1].isalpha():
                # A client that tries TLS first would wait for the server's part of it.
                raise ProtocolError(400, "this is not HTTP")
        if not 0 <= end <= _LONGEST_HEAD:
            raise ProtocolError(431, "the request's head is too long")
        head = bytes(self._buffer[:end])
        del self._buffer[: end + 4]
        return Request.parse(head)

    def receive_body(
        self, request: Request, *, most: int | None = None, pace: Pace | None = None
    ) -> Body:
        """Return the body, or what came before the client left or `most` bytes were there.

        Raises `ProtocolError`.
        """
        limit = _LARGEST_BODY if most is None else most
        if request.length is not None:
            if request.length > _LARGEST_BODY:
                raise ProtocolError(413, "the body is too large")
            data = self._take(min(request.length, limit), pace)
            return Body(data, complete=len(data) == request.length)
        data = bytearray()
        while (line := self._line()) is not None:
            try:
                size = int(line.partition(b";")[0], 16)
            except ValueError:
                raise ProtocolError(400, "a chunk's size is malformed") from None
            if size == 0:
                while (trailer := self._line()) is not None:
                    if not trailer:
                        return Body(data, complete=True)
                break
            wanted = min(size, limit - len(data))
            data += self._take(wanted, pace)
            if wanted < size:
                if most is None:
                    raise ProtocolError(413, "the body is too large")
                break
            if self._line() not in {b"", None}:
                raise ProtocolError(400, "a chunk is longer than its size")
        return Body(data, complete=False)

    def send(self, data: bytes, pace: Pace | None = None) -> None:
        """Send all of it."""
        step = _STEP if pace is None else pace.step
        view = memoryview(data)
        while view:
            # Counted before: whoever has read the bytes finds them counted.
            self._traffic.add(sent=len(view[:step]))
            self._socket.sendall(view[:step])
            view = view[step:]
            if pace is not None and view:
                self._closing.wait(pace.interval)

    def reset(self) -> None:
        """Break the connection off: the client gets an RST, unsent data is lost."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def interrupt(self) -> None:
        """End whatever another thread waits for on this connection."""
        with contextlib.suppress(OSError):
            # Not `SSLSocket.shutdown`, which takes the TLS state from under that thread.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close at once."""
        self._socket.close()

    def finish(self) -> None:
        """Close in order: a FIN, and what still comes is read for a moment.

        Closing with unread data would send an RST, which can destroy a response on its way.
        """
        self._socket.shutdown(socket.SHUT_WR)
        end = time.monotonic() + _LINGER_SECONDS
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            if not self._fill():
                break
            self._buffer.clear()

    def _fill(self) -> bool:
        """Receive what is there into the buffer; tell whether anything came."""
        data = self._socket.recv(_STEP)
        self._traffic.add(received=len(data))
        self._buffer += data
        return bool(data)

    def _receive_into(self, view: memoryview) -> int:
        """Receive what is there; nothing when the client left, in order or not."""
        try:
            received = self._socket.recv_into(view)
        except ConnectionError:
            return 0
        self._traffic.add(received=received)
        return received

    def _line(self) -> bytes | None:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > _LONGEST_LINE:
                raise ProtocolError(400, "a line of the chunked body is too long")
            if not self._fill():
                return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _take(self, size: int, pace: Pace | None) -> bytearray:
        """Receive `size` bytes, or fewer when the client leaves."""
        data = bytearray(size)
        done = 0
        with memoryview(data) as view:
            while done < size:
                step = size - done if pace is None else min(pace.step, size - done)
                if self._buffer:
                    received = min(step, len(self._buffer))
                    view[done : done + received] = self._buffer[:received]
                    del self._buffer[:received]
                else:
                    received = self._receive_into(view[done : done + step])
                if not received:
                    break
                done += received
                if pace is not None:
                    self._closing.wait(pace.interval)
        del data[done:]
        return data
