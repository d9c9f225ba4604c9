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

from cogn_runtime.frames import FrameDecoder, encode_frame

__all__ = ["Channel", "encode_message"]

_CHUNK_BYTES = 256 * 1024


class Channel:
    """Sends messages, and receives requests on a thread of its own.

    The thread is there to notice the end of the front while the model computes: the worker and
    all processes the model started, which are one process group, are then killed.
    """

    def __init__(self, fd: int) -> None:
        """Speak through the socket `fd`."""
        os.set_inheritable(fd, False)
        self._socket = socket.socket(fileno=fd)
        self._sending = threading.Lock()
        self._requests: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._taken: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.on_cancel: Callable[[str], object] = lambda _id: None
        """Called on the thread with the id of a prediction that is to end."""
        self.on_healthcheck: Callable[[], object] = lambda: None
        """Called on the thread when the front asks whether the model is well."""
        self.on_taken: Callable[[str], object] = self._taken.put
        """Called on the thread when the files of an item of a prediction were read."""
        threading.Thread(target=self._receive, name="cogn-channel", daemon=True).start()

    def send(self, kind: str, **members: object) -> None:
        """Send one message; raises ValueError, TypeError or FrameError for what is no message."""
        self.send_encoded(encode_message(kind, **members))

    def send_encoded(self, frame: bytes) -> None:
        """Send a frame that `encode_message` made."""
        with self._sending:
            self._socket.sendall(frame)

    def wait_taken(self, id_: str) -> None:
        """Wait until the front has read the files of an item of a prediction."""
        while self._taken.get() != id_:  # one that was canceled may have left an answer
            pass

    def requests(self) -> Iterator[dict[str, Any]]:
        """Yield the front's requests until it says stop."""
        while (request := self._requests.get()) is not None:
            yield request

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
                if message["kind"] == "stop":
                    self._requests.put(None)
                    return
                match message["kind"]:
                    case "cancel":
                        self.on_cancel(message["id"])
                    case "healthcheck":
                        self.on_healthcheck()
                    case "taken":
                        self.on_taken(message["id"])
                    case _:
                        self._requests.put(message)


def encode_message(kind: str, **members: object) -> bytes:
    """Return the frame of a message, its keys sorted.

    Raises TypeError or ValueError when a member is not JSON, FrameError when it is too large.
    """
    text = json.dumps(
        {"kind": kind, **members},
        ensure_ascii=False,
        allow_nan=False,
        sort_keys=True,
        separators=(",", ":"),
    )
    return encode_frame(text.encode())
