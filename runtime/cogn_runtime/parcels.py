"""Messages that are too large for a frame: they pass through a file of a directory of their own.

The frame has the kind `parcel` and the file's `name` then. Whoever takes a parcel removes the file.
Standard library only, as both the front and the worker pass parcels.
"""

from __future__ import annotations

import itertools
import os
import pathlib

from cogn_runtime.frames import MAX_FRAME_BYTES, FrameError, encode_frame

__all__ = ["MAX_MESSAGE_BYTES", "Parcels", "check_length"]

MAX_MESSAGE_BYTES = 256 * 1024 * 1024
"""The longest message, however it passes: more than twice the largest request body."""


def check_length(payload: bytes) -> bytes:
    """Return `payload`; raises FrameError when it is too long for any way."""
    if len(payload) > MAX_MESSAGE_BYTES:
        raise FrameError(f"{len(payload)} bytes of JSON, and {MAX_MESSAGE_BYTES} are allowed")
    return payload


class Parcels:
    """What passes through files in `directory`; `sender` begins the names of those made here."""

    def __init__(self, directory: str | os.PathLike[str], sender: str) -> None:
        self._directory = pathlib.Path(directory)
        self._sender = sender
        self._numbers = itertools.count()

    def frame(self, payload: bytes) -> bytes:
        """Return the frame that carries `payload`, or that of a parcel with it.

        Raises FrameError when it is too long, OSError when there is no room for a file.
        """
        if len(payload) <= MAX_FRAME_BYTES:
            return encode_frame(payload)
        check_length(payload)
        name = f"{self._sender}-{next(self._numbers)}"
        path = self._directory / name
        try:
            path.write_bytes(payload)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return encode_frame(b'{"kind":"parcel","name":"%s"}' % name.encode())

    def take(self, name: str) -> bytes:
        """Return the payload of a parcel, and remove its file.

        Raises FrameError for a name that is none, or when it is too long; OSError when it is gone.
        """
        if not name or not name.isascii() or not name.replace("-", "").isalnum():
            raise FrameError(f"{name!r} names no parcel")
        path = self._directory / name
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            path.unlink()
            return check_length(file.read(MAX_MESSAGE_BYTES + 1))
