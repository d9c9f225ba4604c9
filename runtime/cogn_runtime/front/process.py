"""One worker process: starting it, talking to it, reading what it prints, ending it."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from typing import Literal

import anyio
import anyio.abc
import anyio.to_thread

import cogn_runtime
from cogn_runtime.frames import MAX_FRAME_BYTES, FrameDecoder, FrameError
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
        stream: anyio.abc.SocketStream,
        output: int,
        on_output: Callable[[bytes], None],
        directory: str,
    ) -> None:
        self._process = process
        self._directory = directory
        self._parcels = Parcels(directory, "front")
        self._stream = stream
        self._sending = anyio.Lock()
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
            command = [sys.executable, "-c", _START_WORKER]
            process = await anyio.open_process(
                [*command, _LOCATION, str(theirs.fileno()), directory, mode, reference],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
            stream = await anyio.abc.SocketStream.from_socket(ours)
        except BaseException:
            ours.close()
            os.close(output)
            shutil.rmtree(directory, ignore_errors=True)
            raise
        finally:
            theirs.close()
            os.close(printed)
        return cls(process, stream, output, on_output, directory)

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
            frame = await anyio.to_thread.run_sync(self._parcels.frame, message)
        else:
            frame = self._parcels.frame(message)
        async with self._sending:
            with (
                anyio.CancelScope(shield=True),
                contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError),
            ):
                await self._stream.send(frame)

    async def messages(self) -> AsyncIterator[Message]:
        """Yield what the worker says, to the end of its side of the socket.

        Raises FrameError or msgspec.DecodeError when it does not keep to the protocol.
        """
        decoder = FrameDecoder()
        while True:
            try:
                data = await self._stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return
            for payload in decoder.feed(data):
                message = decode(payload)
                if isinstance(message, Parcel):
                    message = decode(await self._taken(message.name))
                yield message

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
            await self._stream.aclose()
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
