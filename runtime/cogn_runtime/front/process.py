"""One worker process: starting it, talking to it, reading what it prints, ending it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Literal

import anyio
import anyio.abc
import anyio.to_thread

import cogn_runtime
from cogn_runtime.frames import MAX_FRAME_BYTES, FrameDecoder, FrameError, encode_frame
from cogn_runtime.front.messages import Message, Parcel, decode, stop_message
from cogn_runtime.parcels import Parcels

__all__ = ["Mode", "WorkerProcess", "describe_exit"]

Mode = Literal["predict", "train"]
"""What a worker does."""

# The worker's own modules are registered by their place, so that the directory they are in, and
# the server's packages with it, stays out of the model's sys.path. The current directory goes:
# a file of the model must not stand in for a module that the worker needs to start.
_START_WORKER = """\
import sys
if sys.path and not sys.path[0]:
    del sys.path[0]
import importlib.util
location, fd, parcels, mode, reference = sys.argv[1:]
spec = importlib.util.spec_from_file_location(
    "cogn_runtime", location + "/__init__.py", submodule_search_locations=[location]
)
sys.modules["cogn_runtime"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from cogn_runtime.worker.main import main
main(int(fd), parcels, mode, reference)
"""

_LOCATION = str(pathlib.Path(cogn_runtime.__file__).parent)
_READ_BYTES = 64 * 1024
_DRAIN_BYTES = 8 * 1024 * 1024
_RELAY_BYTES = 512 * 1024
"""What is handed on at once of very much output, so that requests are answered between."""


class WorkerProcess:
    """A running worker, in a session of its own so that it and its children can be ended at once.

    `on_output` gets the bytes that the worker and its children print, in the order written.
    """

    def __init__(
        self,
        process: anyio.abc.Process,
        channel: socket.socket,
        output: int,
        on_output: Callable[[bytes], None],
        directory: str,
    ) -> None:
        self._process = process
        self._directory = directory
        self._parcels = Parcels(directory, "front")
        self._socket = channel
        self._unsent = bytearray()
        self._decoder = FrameDecoder()
        self._payloads: deque[bytes] = deque()
        self._handle: Callable[[Message], Awaitable[None] | None] | None = None
        self._slow: asyncio.Future[Awaitable[None] | None] | None = None
        self._output = output
        self._on_output = on_output

    @classmethod
    async def start(
        cls, reference: str, mode: Mode, on_output: Callable[[bytes], None]
    ) -> WorkerProcess:
        """Start a worker for the model at `reference`; raises OSError when that is impossible."""
        directory = tempfile.mkdtemp(prefix="cogn-parcels-")
        ours, theirs = socket.socketpair()
        output, printed = os.pipe()
        try:
            os.set_blocking(output, False)
            ours.setblocking(False)
            command = [sys.executable, "-c", _START_WORKER]
            process = await anyio.open_process(
                [*command, _LOCATION, str(theirs.fileno()), directory, mode, reference],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            os.close(output)
            shutil.rmtree(directory, ignore_errors=True)
            raise
        finally:
            theirs.close()
            os.close(printed)
        return cls(process, ours, output, on_output, directory)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    async def send(self, message: bytes) -> None:
        """Send a message, the whole of it even when whoever sends it is canceled.

        To a worker that is gone, do nothing: `wait` tells about its end. Raises OSError when there
        is no room for a message that is too large for a frame.
        """
        if len(message) > MAX_FRAME_BYTES:
            self._post(await anyio.to_thread.run_sync(self._parcels.frame, message))
        else:
            self.post(message)

    def post(self, message: bytes) -> None:
        """Send a message that fits into a frame, as `send` does; raises FrameError for others."""
        self._post(encode_frame(message))

    def _post(self, frame: bytes) -> None:
        if self._unsent:
            self._unsent += frame
            return
        sent = self._written(frame)
        if sent < len(frame):
            self._unsent += memoryview(frame)[sent:]
            asyncio.get_running_loop().add_writer(self._socket, self._write)

    def _write(self) -> None:
        del self._unsent[: self._written(self._unsent)]
        if not self._unsent:
            asyncio.get_running_loop().remove_writer(self._socket)

    def _written(self, data: bytes | bytearray) -> int:
        """Write what there is room for; return how much that was."""
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError:  # the worker is gone
            return len(data)

    async def listen(self, handle: Callable[[Message], Awaitable[None] | None]) -> None:
        """Hand on what the worker says, to the end of its side of the socket.

        It is read no further before what `handle` returns was awaited. Raises what `handle` does,
        and FrameError or msgspec.DecodeError when the worker does not keep to the protocol.
        """
        loop = asyncio.get_running_loop()
        self._handle = handle
        try:
            while True:
                self._slow = loop.create_future()
                loop.add_reader(self._socket, self.poll)
                self._hand_on()
                slow = await self._slow
                if slow is None:
                    return
                await slow
        finally:
            self._handle = None
            loop.remove_reader(self._socket)

    def poll(self) -> None:
        """Hand on what the worker has said by now, and send on what there was no room for.

        Those who wait for an answer have it then.
        """
        if self._unsent:
            self._write()
        if self._handle is None or self._slow is None or self._slow.done():
            return
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._pause(None)
            return
        try:
            self._payloads.extend(self._decoder.feed(data))
        except FrameError as error:
            self._fail(error)
            return
        self._hand_on()

    def _hand_on(self) -> None:
        assert self._handle is not None
        while self._payloads:
            try:
                message = decode(self._payloads.popleft())
                if isinstance(message, Parcel):
                    self._pause(self._unpacked(message.name))
                    return
                slow = self._handle(message)
            except Exception as error:  # noqa: BLE001 - it is for who listens
                self._fail(error)
                return
            if slow is not None:
                self._pause(slow)
                return

    def _pause(self, slow: Awaitable[None] | None) -> None:
        """Read nothing for now, until `slow` was awaited."""
        asyncio.get_running_loop().remove_reader(self._socket)
        assert self._slow is not None
        self._slow.set_result(slow)

    def _fail(self, error: Exception) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        assert self._slow is not None
        self._slow.set_exception(error)

    async def _unpacked(self, parcel: str) -> None:
        """Hand on what is in a parcel."""
        message = decode(await self._taken(parcel))
        if self._handle is not None and (slow := self._handle(message)) is not None:
            await slow

    async def _taken(self, parcel: str) -> bytes:
        try:
            return await anyio.to_thread.run_sync(self._parcels.take, parcel)
        except OSError as error:
            raise FrameError(f"a parcel cannot be read: {error}") from error

    async def relay_output(self) -> None:
        """Hand on what is printed as it arrives, until nobody can print any more."""
        while self.drain_output(_RELAY_BYTES):
            await anyio.wait_readable(self._output)

    def drain_output(self, most: int = _DRAIN_BYTES) -> bool:
        """Hand on what has been printed by now; return whether there can be more.

        What the worker wrote before it sent a message is in the pipe when the message arrives.
        """
        for _ in range(most // _READ_BYTES):
            try:
                data = os.read(self._output, _READ_BYTES)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._on_output(data)
        return True

    async def wait(self) -> int:
        """Wait for the end of the process; return its exit code, or minus the signal's number."""
        return await self._process.wait()

    def kill(self) -> None:
        """Kill the worker and all processes it started that did not leave its session."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def close(self, grace: float) -> None:
        """End the worker, killing it if it takes longer than `grace` seconds."""
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.relay_output)  # it may print while it ends
                with anyio.move_on_after(grace):
                    await self.send(stop_message())
                    await self.wait()
                self.kill()
                await self.wait()
                tasks.cancel_scope.cancel()
        if self._unsent:
            asyncio.get_running_loop().remove_writer(self._socket)
        self._socket.close()
        self.drain_output()
        os.close(self._output)
        shutil.rmtree(self._directory, ignore_errors=True)


def describe_exit(code: int, memory: str | None = None) -> str:
    """Return in words how a process ended that `WorkerProcess.wait` returned `code` for.

    `memory` is what the kernel says about memory, if it killed a process for it.
    """
    if code >= 0:
        return f"it exited with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if -code == signal.SIGKILL:
        hint = f": {memory}" if memory else ", as happens when memory runs out"
        return f"it was killed by {name}{hint}"
    return f"it was killed by {name}"
