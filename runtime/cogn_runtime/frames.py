"""The frames between front and worker: four bytes of length, then one JSON object in UTF-8.

Every message has a `kind`:

=============  ======================  =======================================================
kind           from                    other members
=============  ======================  =======================================================
predict        front                   `id`, `input`: a complete, validated object; `context`
cancel         front                   `id`; of a prediction that is over it has no effect
healthcheck    front                   none
taken          front                   `id`; the files of the item that was yielded were read
usage          front                   none
stop           front                   none; the end of the stream without it means: front died
loaded         worker                  `signature`: the JSON form of a `schema.Signature`;
                                       `slots`: how many predictions it makes at once;
                                       `has_healthcheck`
ready          worker                  none; `setup()` has returned
setup_failed   worker                  `error`
health         worker                  `error`, or null when the model says that it is well
usage          worker                  `gpus`: `[number, bytes used, bytes free]` of each
log            worker                  `id`, `text`: printed in one of several predictions
metric         worker                  `id`, `name`, `value`, `mode`
yielded        worker                  `id`, `output`, `files`: as below, for one item
succeeded      worker                  `id`, `output`, `files`: `{"at": [key or index, ...],
                                       "path": ...}` for each null in `output` that is a file
failed         worker                  `id`, `error`
canceled       worker                  `id`
parcel         both                    `name`: the message is in a file (`cogn_runtime.parcels`)
=============  ======================  =======================================================

This module does no input or output, so that both sides can use it their own way.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["MAX_FRAME_BYTES", "FrameDecoder", "FrameError", "encode_frame"]

MAX_FRAME_BYTES = 4 * 1024 * 1024
"""The longest payload of a frame; a longer message passes through a file."""

_LENGTH = struct.Struct("!I")


class FrameError(Exception):
    """Raised when a frame is longer than allowed."""


def encode_frame(payload: bytes) -> bytes:
    """Return the frame that carries `payload`; raises FrameError when it is too long."""
    _check_length(len(payload))
    return _LENGTH.pack(len(payload)) + payload


class FrameDecoder:
    """Cuts a stream of bytes, however it arrives, into the payloads of its frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes of the stream and yield the payloads they complete.

        Raises FrameError at a frame that is too long; the stream cannot be read further then.
        """
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            _check_length(length)
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(memoryview(self._buffer)[_LENGTH.size : end])
            del self._buffer[:end]
            yield payload


def _check_length(length: int) -> None:
    if length > MAX_FRAME_BYTES:
        raise FrameError(f"a frame of {length} bytes, and {MAX_FRAME_BYTES} are allowed")
