"""Compiling many sources at once, in processes of another interpreter.

The processes run `compile_worker`, whose docstring has the protocol.
"""

from __future__ import annotations

import struct
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from queue import SimpleQueue
from typing import IO

from cogn.layers import compile_worker
from cogn.layers.content import read_all
from cogn.layers.entry import Entry
from cogn.layers.errors import BytecodeError
from cogn.layers.interpreter import WITHOUT, Interpreter

__all__ = ["LARGEST_SOURCE", "Compiler", "running_compiler"]

LARGEST_SOURCE = 4 << 20
"""Larger sources, in bytes, are not compiled. It bounds the memory that a process takes."""

_REQUEST = struct.Struct("<II")
_ANSWER = struct.Struct("<I")


class Compiler:
    """Some processes that compile. Get it from `running_compiler`."""

    def __init__(self, processes: Sequence[_Process], threads: Executor) -> None:
        self._threads = threads
        self._idle: SimpleQueue[_Process] = SimpleQueue()
        for process in processes:
            self._idle.put(process)

    def compile(self, sources: Iterable[Entry]) -> Iterator[bytes | None]:
        """Yield for each source in turn its .pyc file, or None when it does not compile.

        Raises `BytecodeError` when a process ends or takes too long over one: whether that happens
        may depend on the machine, and the bytes of a layer must not.
        """
        return self._threads.map(self._compile, sources)

    def _compile(self, source: Entry) -> bytes | None:
        if source.content.size > LARGEST_SOURCE:
            return None
        process = self._idle.get()
        try:
            return process.compile(f"/{source.path}", read_all(source.content))
        finally:
            self._idle.put(process)


@contextmanager
def running_compiler(interpreter: Interpreter, jobs: int) -> Iterator[Compiler]:
    """Give a compiler with so many processes, which end with the block.

    Raises `BytecodeError` when the interpreter does not start or is not what it was said to be.
    """
    with ExitStack() as stack:
        processes = []
        for _ in range(jobs):
            process = _Process(interpreter)
            stack.callback(process.close)
            process.start()
            processes.append(process)
        threads = stack.enter_context(ThreadPoolExecutor(len(processes)))
        for process in processes:
            stack.callback(process.kill)  # first of all: a thread may wait for its answer
        yield Compiler(processes, threads)


class _Process:
    """One process of `compile_worker`."""

    _process: subprocess.Popen[bytes] | None = None

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - until `close`

    def start(self) -> None:
        try:
            self._process = subprocess.Popen(
                [*self._interpreter.command, compile_worker.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=self._interpreter.environment,
            )
        except OSError as error:
            raise self._unusable(str(error.strerror)) from error
        greeting = self._answer(self._process)
        if greeting is None:
            raise self._unusable(self._end(self._process))
        if greeting != f"cpython {self._interpreter.version}".encode():
            raise self._unusable(f"it is {greeting.decode()}")

    def compile(self, path: str, source: bytes) -> bytes | None:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        name = path.encode()
        answer = None
        with suppress(OSError):  # it has ended: there is no answer
            process.stdin.write(_REQUEST.pack(len(name), len(source)) + name + source)
            process.stdin.flush()
            answer = self._answer(process)
        if answer is None:
            raise BytecodeError(
                f"compiling `{path}` ended CPython {self._interpreter.version}: "
                f"{self._end(process)}",
                hint=WITHOUT,
            )
        return answer or None

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            with suppress(OSError):  # something was written that nobody read
                self._process.communicate()
        self._errors.close()

    @staticmethod
    def _answer(process: subprocess.Popen[bytes]) -> bytes | None:
        """Return the next answer, or None when the process ended before it was complete."""
        assert process.stdout is not None
        length = process.stdout.read(_ANSWER.size)
        if len(length) < _ANSWER.size:
            return None
        (size,) = _ANSWER.unpack(length)
        answer = process.stdout.read(size)
        return answer if len(answer) == size else None

    def _end(self, process: subprocess.Popen[bytes]) -> str:
        """Return how the process ended: its own first words, or its signal or status."""
        status = process.wait()
        self._errors.seek(0)
        if said := self._errors.readline().decode(errors="replace").strip():
            return said
        return f"signal {-status}" if status < 0 else f"status {status}"

    def _unusable(self, reason: str) -> BytecodeError:
        return BytecodeError(
            f"CPython {self._interpreter.version} cannot be used to compile bytecode: {reason}",
            hint=f"if programs cannot be started from `{tempfile.gettempdir()}`, set TMPDIR to a "
            f"directory that allows it, or {WITHOUT}",
        )
