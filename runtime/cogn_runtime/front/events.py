"""What happens in a prediction, for those who look on: server-sent events with replay.

https://html.spec.whatwg.org/multipage/server-sent-events.html; the names of the events and what is
in them are Cog's.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator

import anyio
import msgspec

__all__ = ["KEEP_ALIVE", "Events", "encode_event"]

KEEP_ALIVE = b":keep-alive\n\n"
"""A comment, which readers ignore: it tells them and what is between that somebody is there."""

_KEEP_ALIVE_SECONDS = 15
_MOST_BYTES = 64 * 1024 * 1024
_BLOCK_BYTES = 256 * 1024
"""Events are sent together when there are several, but not more than so many bytes of them."""

_encoder = msgspec.json.Encoder(order="sorted")


def encode_event(name: str, data: object) -> bytes:
    """Return an event as it goes over the wire."""
    return b"event: " + name.encode() + b"\ndata: " + _encoder.encode(data) + b"\n\n"


class Events:
    """The last `capacity` events of a prediction, fewer of large ones.

    Who comes late, or reads slowly, gets those.
    """

    def __init__(self, capacity: int) -> None:
        self.readers = 0
        """How many look on now."""
        self._capacity = capacity
        self._history: deque[bytes] = deque()
        self._bytes = 0
        self._count = 0
        self._closed = False
        self._news = asyncio.Event()

    def add(self, name: str, data: object) -> None:
        """Tell what happened; a history without capacity keeps what comes for nobody."""
        event = encode_event(name, data)
        self._history.append(event)
        self._bytes += len(event)
        while self._history and (
            len(self._history) > self._capacity
            or (self._bytes > _MOST_BYTES and len(self._history) > 1)
        ):
            self._bytes -= len(self._history.popleft())
        self._count += 1
        self._news.set()

    def close(self, name: str, data: object) -> None:
        """Tell what happened last."""
        self.add(name, data)
        self._closed = True

    async def read(self) -> AsyncIterator[bytes]:
        """Yield all events from the first that is known to the last, and signs of life between."""
        position = 0
        self.readers += 1
        try:
            while True:
                first = self._count - len(self._history)
                if position < first:
                    what = "stream lagged" if position else "stream replay truncated"
                    error = f"SSE {what}; events were dropped"
                    yield encode_event("error", {"error": error, "skipped": first - position})
                    position = first
                elif position < self._count:
                    block = self._block(position - first)
                    position += len(block)
                    yield b"".join(block)
                elif self._closed:
                    return
                else:
                    self._news.clear()
                    with anyio.move_on_after(_KEEP_ALIVE_SECONDS) as waited:
                        await self._news.wait()
                    if waited.cancelled_caught:
                        yield KEEP_ALIVE
        finally:
            self.readers -= 1

    def _block(self, start: int) -> list[bytes]:
        """Return the events to send next."""
        block = []
        size = 0
        for event in itertools.islice(self._history, start, None):
            block.append(event)
            size += len(event)
            if size >= _BLOCK_BYTES:
                break
        return block
