"""Keeps a worker running, knows how it is, and gives it one prediction at a time."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import anyio
import msgspec

from cogn_runtime.frames import FrameError
from cogn_runtime.front.document import Document
from cogn_runtime.front.logs import LineSplitter, LogBuffer, timestamp
from cogn_runtime.front.messages import (
    Canceled,
    Failed,
    Health,
    Loaded,
    Log,
    Message,
    Metric,
    Ready,
    SetupFailed,
    Succeeded,
    Yielded,
    cancel_frame,
    healthcheck_frame,
    predict_frame,
    taken_frame,
)
from cogn_runtime.front.process import WorkerProcess, describe_exit
from cogn_runtime.schema import Signature

__all__ = [
    "ENDED",
    "BusyError",
    "Job",
    "NotReadyError",
    "Observer",
    "Setup",
    "Status",
    "Supervisor",
    "restart_delay",
]

Status = Literal["STARTING", "READY", "BUSY", "SETUP_FAILED", "UNHEALTHY"]

ENDED = "the server ended before the prediction did"
"""What becomes of predictions that are not made any more."""

_FIRST_DELAY = 0.5
_LONGEST_DELAY = 30.0
_HEALTHCHECK_SECONDS = 5.0
_EXIT_GRACE = 1.0
_CLOSE_GRACE = 5.0
_LAST_LINES = 10

_log = logging.getLogger("cogn.worker")
_model_log = logging.getLogger("cogn.model")


class NotReadyError(Exception):
    """Raised when a prediction is asked for and no worker is ready."""


class BusyError(Exception):
    """Raised when a prediction is asked for while others hold all slots."""


class _ProtocolError(Exception):
    """Raised when the worker says something at the wrong time."""


@dataclass
class Setup:
    """One time that the model was set up, or tried to be; times are RFC 3339."""

    started_at: str = field(default_factory=timestamp)
    completed_at: str | None = None
    status: Literal["starting", "succeeded", "failed"] = "starting"
    logs: LogBuffer = field(default_factory=LogBuffer)


Answer = Succeeded | Failed | Canceled


class Observer(Protocol):
    """Is told what comes of a job before its answer does."""

    def logged(self, text: str) -> None:
        """Take what was printed."""

    def measured(self, metric: Metric) -> None:
        """Take a metric."""

    async def yielded(self, item: Yielded) -> None:
        """Take an item of the output, in its order."""


class Job:
    """What the model does for one prediction; `seconds` is how long it took.

    `is_canceled` says that somebody wants it to end.
    """

    def __init__(self, id_: str, observer: Observer) -> None:
        self.id = id_
        self.observer = observer
        self.logs = LogBuffer()
        self.seconds = 0.0
        self.is_canceled = False
        self._answer: Answer | None = None
        self._answered = anyio.Event()

    def print(self, text: str) -> None:
        """Add what was printed to the logs."""
        self.logs.write(text)
        if text:
            self.observer.logged(text)

    def finish(self, answer: Answer) -> None:
        """Give the prediction its answer; what comes after the first one is ignored."""
        if self._answer is None:
            self._answer = answer
            self._answered.set()

    async def answer(self) -> Answer:
        """Wait for the answer."""
        await self._answered.wait()
        assert self._answer is not None
        return self._answer


class Supervisor:
    """Runs workers for the model at `reference`, one after the other.

    A worker has as many slots as it makes predictions at once.

    When the first worker cannot set the model up, or takes longer than `setup_timeout` seconds,
    that is final: `SETUP_FAILED`. A worker that dies later fails the prediction it was making and
    another one is started after `restart_delay`, as often as it takes.
    """

    def __init__(
        self,
        reference: str,
        document: Document,
        *,
        setup_timeout: float | None,
        cancel_timeout: float,
    ) -> None:
        self._reference = reference
        self._setup_timeout = setup_timeout
        self._cancel_timeout = cancel_timeout
        self._phase: Literal["STARTING", "READY", "SETUP_FAILED"] = "STARTING"
        self._slots = 1
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[anyio.Event] = deque()
        self._promised = 0
        self._worker: WorkerProcess | None = None
        self._fault: str | None = None
        self._lines = LineSplitter()
        self._has_healthcheck = False
        self._health_error: str | None = None
        self._health_told = anyio.Event()
        self._is_asking = False
        self._deaths = 0
        self._was_ready = False
        self.setup = Setup()
        self.signature: Signature | None = None
        self.document = document

    @property
    def status(self) -> Status:
        """How the model is, in the words of Cog's health check."""
        if self._phase == "READY" and not self._has_free_slot:
            return "BUSY"
        return self._phase

    @property
    def _has_free_slot(self) -> bool:
        return len(self._jobs) + self._promised < self._slots and not self._waiting

    async def run(self) -> None:
        """Keep a worker running; returns when the first setup failed, else when cancelled."""
        try:
            while True:
                await self._live()
                if not self._was_ready:
                    return
                self._deaths += 1
                delay = restart_delay(self._deaths)
                _log.warning("starting a new worker in %g s", delay)
                await anyio.sleep(delay)
                if self._phase == "SETUP_FAILED":
                    self._begin_setup()
        finally:
            self._fail_jobs(ENDED)

    def require_slot(self) -> None:
        """Raise NotReadyError or BusyError unless there is a free slot now."""
        if self._phase != "READY":
            raise NotReadyError
        if not self._has_free_slot:
            raise BusyError

    @contextlib.contextmanager
    def slot(self, job: Job) -> Iterator[None]:
        """Hold a slot for a job; raises NotReadyError or BusyError."""
        self.require_slot()
        with self._held(job):
            yield

    async def turn(self, job: Job, holder: contextlib.ExitStack) -> None:
        """Let `holder` hold a slot for a job as soon as it is its turn, unless it has one."""
        if job.id in self._jobs:
            return
        if self._phase == "SETUP_FAILED" or (self._phase == "READY" and self._has_free_slot):
            holder.enter_context(self._held(job))
            return
        called = anyio.Event()
        self._waiting.append(called)
        try:
            await called.wait()
        except BaseException:
            if called.is_set():
                self._promised -= 1
                self._call_next()
            else:
                self._waiting.remove(called)
            raise
        self._promised -= 1
        holder.enter_context(self._held(job))

    @contextlib.contextmanager
    def _held(self, job: Job) -> Iterator[None]:
        self._jobs[job.id] = job
        try:
            yield
        finally:
            del self._jobs[job.id]
            self._call_next()

    def _call_next(self) -> None:
        """Promise free slots to those who wait; when there will be none, they are to fail."""
        while self._waiting and (
            self._phase == "SETUP_FAILED"
            or (self._phase == "READY" and len(self._jobs) + self._promised < self._slots)
        ):
            self._promised += 1
            self._waiting.popleft().set()

    async def predict(self, job: Job, inputs: dict[str, Any], context: Mapping[str, str]) -> Answer:
        """Return the model's answer to `inputs`, for a job that holds a slot."""
        worker = self._worker
        if worker is None or self._phase != "READY":
            return Failed(id=job.id, error="the worker died before the prediction began")
        worker.drain_output()
        started = time.perf_counter()
        try:
            frame = predict_frame(job.id, inputs, context)
        except FrameError as error:
            return Failed(id=job.id, error=f"the input is too large: {error}")
        await worker.send(frame)
        answer = await job.answer()
        job.seconds = time.perf_counter() - started
        self._end_line()
        return answer

    async def health_error(self) -> str | None:
        """Return what the model's own health check says is wrong; None when nothing is.

        However many ask at once, the model is asked one time.
        """
        worker = self._worker
        if worker is None or self._phase != "READY" or not self._has_healthcheck:
            return None
        if not self._is_asking:
            self._health_told = anyio.Event()
        told = self._health_told
        with anyio.move_on_after(_HEALTHCHECK_SECONDS):
            if not self._is_asking:
                self._is_asking = True
                try:
                    await worker.send(healthcheck_frame())
                    await told.wait()
                finally:
                    self._is_asking = False
            else:
                await told.wait()
        if told.is_set():
            return self._health_error
        return (
            "Healthcheck failed: user-defined healthcheck timed out after "
            f"{_HEALTHCHECK_SECONDS:.1f} seconds"
        )

    async def taken(self, job: Job) -> None:
        """Let a job go on whose files were read."""
        if self._worker is not None:
            await self._worker.send(taken_frame(job.id))

    async def cancel(self, job: Job) -> None:
        """End a job, if the model has it; kill a worker that does not take notice."""
        worker = self._worker
        if worker is None or job.id not in self._jobs:
            return
        await worker.send(cancel_frame(job.id))
        with anyio.move_on_after(self._cancel_timeout):
            await job.answer()
            return
        self._fault = f"it did not end a canceled prediction within {self._cancel_timeout:g} s"
        worker.kill()

    async def _live(self) -> None:
        """Run one worker from its start to its end."""
        self._fault = None
        try:
            worker = await WorkerProcess.start(self._reference, self._take_output)
        except OSError as error:
            self._fail_setup(f"the worker cannot be started: {error}")
            return
        self._worker = worker
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(worker.relay_output)
                tasks.start_soon(self._limit_setup, worker)
                heard_all = anyio.Event()
                tasks.start_soon(self._listen, worker, heard_all)
                code = await worker.wait()
                worker.kill()  # the processes it has left behind
                with anyio.move_on_after(_EXIT_GRACE):
                    await heard_all.wait()
                tasks.cancel_scope.cancel()
        finally:
            idle = self._phase == "READY" and not self._jobs
            self._worker = None
            await worker.close(_CLOSE_GRACE if idle else 0)
        self._bury(self._fault or describe_exit(code))

    async def _listen(self, worker: WorkerProcess, heard_all: anyio.Event) -> None:
        try:
            async for message in worker.messages():
                worker.drain_output()
                if isinstance(message, Yielded) and message.id in self._jobs:
                    await self._jobs[message.id].observer.yielded(message)
                else:
                    self._handle(message)
        except (FrameError, msgspec.DecodeError, RecursionError, _ProtocolError) as error:
            self._fault = f"it broke the protocol: {error}"
            worker.kill()
        heard_all.set()
        with anyio.move_on_after(_EXIT_GRACE):
            await worker.wait()
        worker.kill()

    async def _limit_setup(self, worker: WorkerProcess) -> None:
        if self._setup_timeout is None:
            return
        await anyio.sleep(self._setup_timeout)
        if self._phase == "STARTING":
            self._fault = f"setup timed out after {self._setup_timeout:g} s"
            worker.kill()

    def _handle(self, message: Message) -> None:
        match message:
            case Loaded(signature, slots, has_healthcheck) if self._phase == "STARTING":
                self._slots = slots
                self._has_healthcheck = has_healthcheck
                try:
                    self.signature = Signature.from_json(signature)
                except (KeyError, TypeError, ValueError) as error:
                    raise _ProtocolError(f"unreadable signature: {error}") from error
                self.document.set_live(self.signature)
            case Ready() if self._phase == "STARTING" and self.signature is not None:
                self._end_setup("succeeded")
                self._phase = "READY"
                self._was_ready = True
                self._call_next()
                _log.info("the model is ready")
            case SetupFailed(error) if self._phase == "STARTING":
                self._fail_setup(error)
            case Health(error):
                self._health_error = error
                self._health_told.set()
            case Log(id_, text):
                for line in text.rstrip("\n").split("\n"):
                    _model_log.info("%s", line)
                if id_ in self._jobs:
                    self._jobs[id_].print(text)
            case Metric(id_) if id_ in self._jobs:
                self._jobs[id_].observer.measured(message)
            case Succeeded(id_) | Failed(id_) | Canceled(id_) if id_ in self._jobs:
                self._deaths = 0
                self._jobs[id_].finish(message)
            case _:
                raise _ProtocolError(f"unexpected {type(message).__name__}")

    def _bury(self, reason: str) -> None:
        """Take note that the worker is gone."""
        self._end_line()
        if self._phase == "SETUP_FAILED":
            return
        _log.error("the worker died: %s", reason)
        if self._phase == "STARTING":
            self._fail_setup(f"the worker died: {reason}")
            return
        self._begin_setup()
        self.setup.logs.write(f"The worker died: {reason}. Another one is started.\n")
        self._fail_jobs(f"Worker crashed: {reason}", with_output=True)

    def _fail_jobs(self, error: str, *, with_output: bool = False) -> None:
        """End all jobs; for one that was to be canceled this is what was asked for."""
        for job in self._jobs.values():
            last = job.logs.last_lines(_LAST_LINES) if with_output else ""
            shown = f"{error}; its last output:\n{last}" if last else error
            job.finish(Canceled(id=job.id) if job.is_canceled else Failed(id=job.id, error=shown))

    def _begin_setup(self) -> None:
        self._phase = "STARTING"
        self.setup = Setup()

    def _fail_setup(self, error: str) -> None:
        _log.error("setup failed: %s", error)
        self.setup.logs.write(f"Setup failed: {error}\n")
        self._end_setup("failed")
        self._phase = "SETUP_FAILED"
        self._call_next()

    def _end_setup(self, status: Literal["succeeded", "failed"]) -> None:
        self.setup.status = status
        self.setup.completed_at = timestamp()

    def _take_output(self, data: bytes) -> None:
        text, lines = self._lines.feed(data)
        if self._phase == "STARTING":
            self.setup.logs.write(text)
        elif self._slots == 1 and self._jobs:
            next(iter(self._jobs.values())).print(text)
        for line in lines:
            _model_log.info("%s", line)

    def _end_line(self) -> None:
        """Log the line that was begun, before what belongs to something else is printed."""
        for line in self._lines.end():
            _model_log.info("%s", line)


def restart_delay(deaths: int) -> float:
    """Return how many seconds to wait before a worker is started again.

    `deaths` counts the workers that died since the last prediction was answered; the delay
    doubles with each, from half a second to half a minute.
    """
    return min(_FIRST_DELAY * 2.0 ** min(deaths - 1, 16), _LONGEST_DELAY)
