"""Keeps a worker running, knows how it is, and hands it what those with a slot ask for."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Mapping
from typing import Any, Literal

import anyio
import msgspec

from cogn_runtime.frames import MAX_FRAME_BYTES, FrameError
from cogn_runtime.front.document import Document
from cogn_runtime.front.health import HEALTHCHECK_SECONDS, Question, timed_out
from cogn_runtime.front.jobs import ENDED, Answer, Job
from cogn_runtime.front.logs import LineSplitter
from cogn_runtime.front.memory import MemoryLimit
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
    Usage,
    Yielded,
    cancel_message,
    healthcheck_message,
    predict_message,
    taken_message,
    usage_message,
)
from cogn_runtime.front.process import Mode, WorkerProcess, describe_exit
from cogn_runtime.front.restarts import Care, Restarts
from cogn_runtime.front.setup import Setup
from cogn_runtime.front.slots import Slots
from cogn_runtime.schema import Signature

__all__ = ["Status", "Supervisor"]

Status = Literal["STARTING", "READY", "BUSY", "SETUP_FAILED", "UNHEALTHY", "DEFUNCT"]

_USAGE_SECONDS = 0.5
_EXIT_GRACE = 1.0
_LAST_LINES = 10

_log = logging.getLogger("cogn.worker")
_model_log = logging.getLogger("cogn.model")


class _ProtocolError(Exception):
    """Raised when the worker says something at the wrong time."""


class Supervisor:
    """Runs workers for the model at `reference`, one after the other.

    A worker has as many slots as it makes predictions at once.

    When the first worker cannot set the model up, or takes too long, that is final: `SETUP_FAILED`.
    A worker that dies later fails the predictions it was making and another one is started after a
    while, until that was tried too often: `DEFUNCT`.
    """

    def __init__(
        self, reference: str, mode: Mode, document: Document, slots: Slots, care: Care
    ) -> None:
        self._reference = reference
        self._care = care
        self._phase: Literal["STARTING", "READY", "SETUP_FAILED", "DEFUNCT"] = "STARTING"
        self._worker: WorkerProcess | None = None
        self._fault: str | None = None
        self._lines = LineSplitter()
        self._has_healthcheck = False
        self._health: Question[Health] = Question()
        self._usage: Question[Usage] = Question()
        self._memory = MemoryLimit()
        self._was_ready = False
        self._is_abandoned = False
        self.mode = mode
        self.slots = slots
        self.restarts = Restarts(care.max_restarts)
        self.is_draining = False
        """Whether the server is to end and takes nothing new."""
        self.setup = Setup()
        self.signature: Signature | None = None
        self.document = document

    @property
    def status(self) -> Status:
        """How the model is, in the words of Cog's health check."""
        if self.is_draining:
            return "DEFUNCT"
        if self._phase == "READY" and not self.slots.has_free:
            return "BUSY"
        return self._phase

    @property
    def is_defunct(self) -> bool:
        """Whether there will be no worker any more after some had died."""
        return self._phase == "DEFUNCT"

    async def run(self) -> None:
        """Keep a worker running; returns when there is to be none, else when cancelled."""
        try:
            while True:
                await self._live()
                if not self._was_ready:
                    return
                delay = self.restarts.next_delay()
                if delay is None:
                    self._give_up()
                    return
                _log.warning("starting a new worker in %g s", delay)
                await anyio.sleep(delay)
                if self._phase == "SETUP_FAILED":
                    self._begin_setup()
        finally:
            self._fail_jobs(ENDED)

    def is_worker(self, pid: int) -> bool:
        """Whether a process is, or may become, a worker."""
        return self._worker is None or self._worker.pid == pid

    def drain(self) -> None:
        """Take nothing new from now on."""
        self.is_draining = True
        self._care.tell_ready(is_ready=False)

    def abandon(self, error: str) -> None:
        """Fail all that the model does; it is not waited for any more."""
        self._is_abandoned = True
        self._fail_jobs(error)

    def begin(self, job: Job, inputs: Mapping[str, Any], context: Mapping[str, str]) -> None:
        """Hand `inputs` to the model, for a job that has a slot, if that can be done at once.

        If not, the job is not begun, and `predict` does it or says what is wrong.
        """
        if self._worker is None or self._phase != "READY":
            return
        with contextlib.suppress(FrameError):
            message = predict_message(job.id, inputs, context)
            if len(message) <= MAX_FRAME_BYTES:
                self._worker.drain_output()
                job.begin()
                self._worker.post(message)

    async def predict(
        self, job: Job, inputs: Mapping[str, Any], context: Mapping[str, str]
    ) -> Answer:
        """Return the model's answer to `inputs`, for a job that has a slot."""
        worker = self._worker
        if worker is None or self._phase != "READY":
            return Failed(id=job.id, error="the worker died before the prediction began")
        worker.drain_output()
        job.begin()
        try:
            await worker.send(predict_message(job.id, inputs, context))
        except FrameError as error:
            return Failed(id=job.id, error=f"the input is too large: {error}")
        except OSError as error:
            return Failed(id=job.id, error=f"the input cannot be handed over: {error}")
        return await job.answer()

    def hear(self) -> None:
        """Take what the worker has said by now: a slot may be free."""
        if self._worker is not None:
            self._worker.poll()

    async def health_error(self) -> str | None:
        """Return what the model's own health check says is wrong; None when nothing is."""
        worker = self._worker
        if worker is None or self._phase != "READY" or not self._has_healthcheck:
            return None
        health = await self._health.ask(
            lambda: worker.send(healthcheck_message()), HEALTHCHECK_SECONDS
        )
        return timed_out() if health is None else health.error

    async def gpu_memory(self) -> list[tuple[int, int, int]]:
        """Return number, bytes in use and bytes free of each GPU that the model says it uses."""
        worker = self._worker
        if worker is None or self._phase != "READY":
            return []
        usage = await self._usage.ask(lambda: worker.send(usage_message()), _USAGE_SECONDS)
        return [] if usage is None else usage.gpus

    async def taken(self, job: Job) -> None:
        """Let a job go on whose files were read."""
        if self._worker is not None:
            await self._worker.send(taken_message(job.id))

    async def cancel(self, job: Job) -> None:
        """End a job, if the model has it; kill a worker that does not take notice."""
        worker = self._worker
        if worker is None or self.slots.find(job.id) is not job or not job.is_begun:
            return
        await worker.send(cancel_message(job.id))
        with anyio.move_on_after(self._care.cancel_timeout):
            await job.answer()
            return
        seconds = self._care.cancel_timeout
        self._fault = f"it did not end a canceled prediction within {seconds:g} s"
        worker.kill()

    async def _live(self) -> None:
        """Run one worker from its start to its end."""
        self._fault = None
        self._health, self._usage = Question(), Question()
        self._memory.was_hit()  # what others had to do with is of no interest
        try:
            worker = await WorkerProcess.start(self._reference, self.mode, self._take_output)
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
            idle = self._phase == "READY" and not self.slots.jobs and not self._is_abandoned
            self._worker = None
            await worker.close(self._care.teardown_timeout if idle else 0)
        memory = self._memory.describe() if self._memory.was_hit() else None
        self._bury(self._fault or describe_exit(code, memory))

    async def _listen(self, worker: WorkerProcess, heard_all: anyio.Event) -> None:
        try:
            await worker.listen(self._heard)
        except (FrameError, msgspec.DecodeError, RecursionError, _ProtocolError) as error:
            self._fault = f"it broke the protocol: {error}"
            worker.kill()
        heard_all.set()
        with anyio.move_on_after(_EXIT_GRACE):
            await worker.wait()
        worker.kill()

    def _heard(self, message: Message) -> Awaitable[None] | None:
        """Take what the worker says; return what has to be awaited before it is heard further."""
        assert self._worker is not None
        self._worker.drain_output()
        if isinstance(message, Yielded) and (job := self.slots.find(message.id)):
            return job.observer.yielded(message)
        self._handle(message)
        return None

    async def _limit_setup(self, worker: WorkerProcess) -> None:
        if self._care.setup_timeout is None:
            return
        await anyio.sleep(self._care.setup_timeout)
        if self._phase == "STARTING":
            self._fault = f"setup timed out after {self._care.setup_timeout:g} s"
            worker.kill()

    def _handle(self, message: Message) -> None:
        match message:
            case Loaded() if self._phase == "STARTING":
                self._load(message)
            case Ready() if self._phase == "STARTING" and self.signature is not None:
                self.setup.end("succeeded")
                self._phase = "READY"
                self._was_ready = True
                self.slots.open()
                self._care.tell_ready(is_ready=True)
                _log.info("the model is ready")
            case SetupFailed(error) if self._phase == "STARTING":
                self._fail_setup(error)
            case Health():
                self._health.tell(message)
            case Usage():
                self._usage.tell(message)
            case _:
                self._handle_answer(message)

    def _handle_answer(self, message: Message) -> None:
        """Take what is said of one prediction; one that was given up here may still say some."""
        if not isinstance(message, Log | Metric | Succeeded | Failed | Canceled):
            raise _ProtocolError(f"unexpected {type(message).__name__}")
        job = self.slots.find(message.id)
        match message:
            case Log(_, text):
                for line in text.rstrip("\n").split("\n"):
                    _model_log.info("%s", line)
                if job is not None:
                    job.print(text)
            case _ if job is None:
                raise _ProtocolError(f"unexpected {type(message).__name__}")
            case Metric():
                job.observer.measured(message)
            case Succeeded() | Failed() | Canceled():
                self.restarts.reset()
                self._end_line()
                job.finish(message)
                job.observer.answered(message)

    def _load(self, loaded: Loaded) -> None:
        self.slots.count = loaded.slots
        self._has_healthcheck = loaded.has_healthcheck
        try:
            self.signature = Signature.from_json(loaded.signature)
        except (KeyError, TypeError, ValueError) as error:
            raise _ProtocolError(f"unreadable signature: {error}") from error
        self.document.set_live(self.signature, self.mode)

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
        self.setup.logs.write(f"The worker died: {reason}\n")
        self._fail_jobs(f"Worker crashed: {reason}", with_output=True)

    def _fail_jobs(self, error: str, *, with_output: bool = False) -> None:
        """End all jobs."""
        for job in self.slots.jobs:
            last = job.logs.last_lines(_LAST_LINES) if with_output else ""
            job.fail(f"{error}; its last output:\n{last}" if last else error)

    def _begin_setup(self) -> None:
        self._phase = "STARTING"
        self.setup = Setup()
        self.slots.close()
        self._care.tell_ready(is_ready=False)

    def _fail_setup(self, error: str) -> None:
        _log.error("setup failed: %s", error)
        self.setup.logs.write(f"Setup failed: {error}\n")
        self.setup.end("failed")
        self._phase = "SETUP_FAILED"
        self.slots.give_up()

    def _give_up(self) -> None:
        """Start no other worker: the last ones died one after the other."""
        limit = f"the limit of {self.restarts.in_row} restarts in a row is reached"
        error = f"{limit}; no other worker is started"
        _log.error("%s", error)
        self.setup.logs.write(f"{error}\n")
        self.setup.end("failed")
        self._phase = "DEFUNCT"
        self.slots.give_up()

    def _take_output(self, data: bytes) -> None:
        text, lines = self._lines.feed(data)
        if self._phase == "STARTING":
            self.setup.logs.write(text)
        elif self.slots.count == 1 and (jobs := self.slots.jobs):
            jobs[0].print(text)
        for line in lines:
            _model_log.info("%s", line)

    def _end_line(self) -> None:
        """Log the line that was begun, before what belongs to something else is printed."""
        for line in self._lines.end():
            _model_log.info("%s", line)
