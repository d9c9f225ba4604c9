"""What a prediction gives, whole or item by item, and its files: as data URLs, or uploaded."""

from __future__ import annotations

import base64
import contextlib
import functools
import pathlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.to_thread
import msgspec
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from cogn_runtime.front.files import FileError, mime_type
from cogn_runtime.front.messages import OutputFile, Yielded
from cogn_runtime.front.uploads import Uploads
from cogn_runtime.parcels import MAX_MESSAGE_BYTES

__all__ = ["Output"]

_MOST_ITEMS = 256
"""Items of an output that may wait for the front; then the model's socket does."""

_At = tuple[str | int, ...]


@dataclass(frozen=True)
class _Taken:
    """A value whose files the model may change again; those that are copies wait for an upload."""

    value: object
    copies: Mapping[_At, pathlib.Path]


class Output:
    """The output of one prediction. `told` gets each item, and its number, when it is known.

    `overflowed` is called once when the items are more than can be kept.
    """

    def __init__(
        self,
        uploads: Uploads | None,
        told: Callable[[object, int], None],
        overflowed: Callable[[], None],
    ) -> None:
        self.value: object = msgspec.UNSET
        """What is known of it."""
        self.error: str | None = None
        """Why it cannot be had, if so."""
        self.is_too_large = False
        self._uploads = uploads
        self._told = told
        self._overflowed = overflowed
        self._items: MemoryObjectSendStream[Yielded] | None = None
        self._list: list[object] | None = None
        self._bytes = 0
        self._inlined = 0
        self._copies: pathlib.Path | None = None
        self._later: MemoryObjectSendStream[_Taken] | None = None
        self.is_stopped = False
        """Whether some of it may be missing because nobody wants it any more."""

    @functools.cached_property
    def _delivery(self) -> anyio.CancelScope:
        return anyio.CancelScope()

    def stop(self) -> None:
        """Upload nothing any more."""
        self.is_stopped = True
        self._delivery.cancel()

    @property
    def is_delivered(self) -> bool:
        """Whether its files go elsewhere."""
        return self._uploads is not None

    @contextlib.asynccontextmanager
    async def delivering(self) -> AsyncIterator[None]:
        """Within the block the model makes the output; after it, all files are where they go."""
        try:
            async with anyio.create_task_group() as tasks:
                self._later, received = anyio.create_memory_object_stream[_Taken](_MOST_ITEMS)
                with self._later:
                    tasks.start_soon(self._deliver, received)
                    yield
        finally:
            if self._copies is not None:
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(_remove, self._copies)

    @contextlib.asynccontextmanager
    async def collecting(self, acknowledge: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        """Within the block items come; after it, none of their files is needed any more.

        `acknowledge` lets the model go on after an item with files.
        """
        self.value = self._list = []
        self._items, received = anyio.create_memory_object_stream[Yielded](_MOST_ITEMS)
        async with anyio.create_task_group() as tasks:
            with self._items:
                tasks.start_soon(self._collect, received, acknowledge)
                yield

    def yielded(self, item: Yielded) -> Awaitable[None] | None:
        """Take an item of the output, in its order; the next has to wait for what is returned."""
        if item.files or self._later is not None:
            return self._queue(item)
        if self._fits(item):
            self._give(item.output)
        return None

    async def _queue(self, item: Yielded) -> None:
        if self._items is not None:
            with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                await self._items.send(item)

    def _fits(self, item: Yielded) -> bool:
        """Whether there is room for one more item."""
        self._bytes += len(item.output)
        if self._bytes > MAX_MESSAGE_BYTES and not self.is_too_large:
            self.is_too_large = True
            self.error = f"the output has more than {MAX_MESSAGE_BYTES} bytes"
            self._overflowed()
        return not self.is_too_large

    async def take(self, output: msgspec.Raw, files: Sequence[OutputFile]) -> None:
        """Take an output, or an item of it, while the model leaves its files as they are."""
        taken = _Taken(output, {})
        if files:
            try:
                taken = await anyio.to_thread.run_sync(self._read, output, files)
            except FileError as error:
                self.error = self.error or str(error)
                taken = _Taken(None, {})
        if self._later is None:
            self._give(taken.value)
        else:
            with contextlib.suppress(anyio.BrokenResourceError):
                await self._later.send(taken)

    async def _collect(
        self,
        received: MemoryObjectReceiveStream[Yielded],
        acknowledge: Callable[[], Awaitable[None]],
    ) -> None:
        with received:
            async for item in received:
                if self._fits(item):
                    await self.take(item.output, item.files)
                if item.files:
                    await acknowledge()

    async def _deliver(self, received: MemoryObjectReceiveStream[_Taken]) -> None:
        with self._delivery, received:
            async for taken in received:
                self._give(await self._uploaded(taken))

    async def _uploaded(self, taken: _Taken) -> object:
        assert self._uploads is not None
        urls: dict[_At, str] = {}
        for at, copy in taken.copies.items():
            try:
                urls[at] = await self._uploads.put(copy)
            except FileError as error:
                self.error = self.error or str(error)
                return None
            await anyio.to_thread.run_sync(_remove, copy.parent)
        return _with(taken.value, urls) if urls else taken.value

    def _give(self, value: object) -> None:
        if self._list is None:
            self.value = value
            self._told(value, 0)
        else:
            self._list.append(value)
            self._told(value, len(self._list) - 1)

    def _read(self, output: msgspec.Raw, files: Sequence[OutputFile]) -> _Taken:
        """Return the output with data URLs, or with copies to be uploaded; raises FileError."""
        value: object = msgspec.json.decode(output)
        if self._uploads is None:
            urls: dict[_At, str] = {}
            for file in files:
                url = _data_url(pathlib.Path(file.path), MAX_MESSAGE_BYTES - self._inlined)
                self._inlined += len(url)
                urls[tuple(file.at)] = url
            return _Taken(_with(value, urls), {})
        copies: dict[_At, pathlib.Path] = {}
        try:
            if self._copies is None:
                self._copies = pathlib.Path(tempfile.mkdtemp(prefix="cogn-output-"))
            for file in files:
                # Each in a directory of its own: the name goes into the URL.
                place = pathlib.Path(tempfile.mkdtemp(dir=self._copies))
                copies[tuple(file.at)] = place / pathlib.Path(file.path).name
                shutil.copyfile(file.path, copies[tuple(file.at)])
        except OSError as error:
            raise _unreadable(error) from error
        return _Taken(value, copies)


def _remove(directory: pathlib.Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)


def _with(value: object, texts: Mapping[_At, str]) -> object:
    """Return `value` with each text in its place."""
    # The whole is put into a list, so that an output which is a file has a place like any other.
    holder = [value]
    for at, text in texts.items():
        container: Any = holder
        *way, last = [0, *at]
        for step in way:
            container = container[step]
        container[last] = text
    return holder[0]


def _data_url(path: pathlib.Path, most: int) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(max(most, 0) + 1)
    except OSError as error:
        raise _unreadable(error) from error
    if len(data) > max(most, 0):
        raise FileError(
            f"the output files have more than {MAX_MESSAGE_BYTES} bytes: start the server with "
            "`--upload-url`"
        )
    return f"data:{mime_type(path.name)};base64,{base64.b64encode(data).decode()}"


def _unreadable(error: OSError) -> FileError:
    return FileError(f"the output file cannot be read: {error}")
