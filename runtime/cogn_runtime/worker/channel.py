"""The worker's end of the socket to the front."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

from cogn_runtime.frames import FrameDecoder
from cogn_runtime.parcels import Parcels
from cogn_runtime.worker.failures import print_traceback

__all__ = ["Channel"]

_CHUNK_BYTES = 256 * 1024
_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode


class Channel:
    """Sends messages, and receives requests on a thread of its own.

    The thread is there to notice the end of the front while the model computes: the worker and
    all processes the model started, which are one process group, are then killed.
    """

    def __init__(self, fd: int, parcels: str) -> None:
        """Speak through the socket `fd`; what is large passes through the directory `parcels`."""
        os.set_inheritable(fd, False)
        self._parcels = Parcels(parcels, "worker")
        self._socket = socket.socket(fileno=fd)
        self._sending = threading.Lock()
        self._main = threading.main_thread().ident
        self.is_sending = False
        """Whether the main thread is in the middle of a frame."""
        self.on_sent: Callable[[], object] = lambda: None
        """Called in the main thread after each frame that it sent."""
        self._requests: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._taken: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.on_predict: Callable[[dict[str, Any]], object] = self.enqueue
        """Called on the thread with a request for a prediction."""
        self.on_stop: Callable[[], object] = lambda: self._requests.put(None)
        """Called on the thread when the front wants nothing more."""
        self.on_cancel: Callable[[str], object] = lambda _id: None
        """Called on the thread with the id of a prediction that is to end."""
        self.on_healthcheck: Callable[[], object] = lambda: None
        """Called on the thread when the front asks whether the model is well."""
        self.on_usage: Callable[[], object] = lambda: None
        """Called on the thread when the front asks what the model uses."""
        self.on_taken: Callable[[str], object] = self._taken.put
        """Called on the thread when the files of an item of a prediction were read."""
        threading.Thread(target=self._serve, name="cogn-channel", daemon=True).start()

    def send(self, kind: str, **members: object) -> None:
        """Send one message; raises what `frame` raises."""
        self.send_frame(self.frame(kind, **members))

    def frame(self, kind: str, **members: object) -> bytes:
        """Return the frame of a message, its keys sorted.

        Raises TypeError or ValueError when a member is not JSON, FrameError when it is too large,
        OSError when there is no room for a large one.
        """
        return self._parcels.frame(_encode({"kind": kind, **members}).encode())

    def send_frame(self, frame: bytes) -> None:
        """Send what `frame` returned, the whole of it: who cancels has to wait for it."""
        if threading.get_ident() != self._main:  # the signal interrupts the main thread alone
            self._send_all(frame)
            return
        self.is_sending = True
        try:
            self._send_all(frame)
        finally:
            self.is_sending = False
        self.on_sent()

    def _send_all(self, frame: bytes) -> None:
        with self._sending:
            self._socket.sendall(frame)

    def wait_taken(self, id_: str) -> None:
        """Wait until the front has read the files of an item of a prediction."""
        while self._taken.get() != id_:  # one that was canceled may have left an answer
            pass

    def enqueue(self, request: dict[str, Any]) -> None:
        """Have `requests` yield a request."""
        self._requests.put(request)

    def requests(self) -> Iterator[dict[str, Any]]:
        """Yield the front's requests until it says stop."""
        while (request := self._requests.get()) is not None:
            yield request

    def _serve(self) -> None:
        try:
            self._receive()
        except BaseException as error:  # noqa: BLE001 - without this thread nothing is of use
            print_traceback(error)
            os._exit(1)

    def _receive(self) -> None:
        decoder = FrameDecoder()
        while True:
            try:
                data = self._socket.recv(_CHUNK_BYTES)
            except ConnectionError:
                data = b""
            if not data:
                os.killpg(os.getpgrp(), signal.SIGKILL)
            for payload in decoder.feed(data):
                message = json.loads(payload)
                if message["kind"] == "parcel":
                    message = json.loads(self._parcels.take(message["name"]))
                if message["kind"] == "stop":
                    self.on_stop()
                    return
                match message["kind"]:
                    case "cancel":
                        self.on_cancel(message["id"])
                    case "healthcheck":
                        self.on_healthcheck()
                    case "usage":
                        self.on_usage()
                    case "taken":
                        self.on_taken(message["id"])
                    case _:
                        self.on_predict(message)
