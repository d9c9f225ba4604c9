"""Bytes that a thread writes, read in the event loop: nothing is kept but what is on its way."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import anyio
import anyio.from_thread
import anyio.to_thread
from anyio.abc import ByteReceiveStream, TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

__all__ = ["Writer", "piped"]

Writer = Callable[[bytes], None]

_PIECE = 1 << 18
_PIECES = 4


def piped(
    run: Callable[[Writer], None], tasks: TaskGroup, limiter: anyio.CapacityLimiter
) -> ByteReceiveStream:
    """Return what `run` writes, which a thread of the limiter calls as a task of the group.

    An error of `run` is raised where the stream is read; the last bytes come only when there is
    none. Closing the stream ends `run` with an error at its next piece.
    """
    send, receive = anyio.create_memory_object_stream[bytes | Exception](_PIECES)
    tasks.start_soon(_write, run, send, limiter)
    return _PipeStream(receive)


async def _write(
    run: Callable[[Writer], None],
    send: MemoryObjectSendStream[bytes | Exception],
    limiter: anyio.CapacityLimiter,
) -> None:
    def in_thread() -> None:
        waiting = bytearray()

        def write(data: bytes) -> None:
            nonlocal waiting
            waiting += data
            if len(waiting) > _PIECE:  # more than a piece, so that the last one stays behind
                anyio.from_thread.run(send.send, bytes(waiting[:-1]))
                waiting = waiting[-1:]

        try:
            run(write)
            anyio.from_thread.run(send.send, bytes(waiting))
        except anyio.BrokenResourceError:
            pass  # nobody reads any more
        except Exception as error:  # noqa: BLE001 - raised by the one who reads
            anyio.from_thread.run(_send_error, send, error)

    async with send:
        await anyio.to_thread.run_sync(in_thread, limiter=limiter)


async def _send_error(send: MemoryObjectSendStream[bytes | Exception], error: Exception) -> None:
    with suppress(anyio.BrokenResourceError):  # nobody reads any more
        await send.send(error)


class _PipeStream(ByteReceiveStream):
    def __init__(self, pieces: MemoryObjectReceiveStream[bytes | Exception]) -> None:
        self._pieces = pieces
        self._rest = b""

    async def receive(self, max_bytes: int = 65536) -> bytes:
        piece = self._rest or await self._pieces.receive()
        if isinstance(piece, Exception):
            raise piece
        piece, self._rest = piece[:max_bytes], piece[max_bytes:]
        return piece

    async def aclose(self) -> None:
        await self._pieces.aclose()
