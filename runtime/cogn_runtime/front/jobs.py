"""`Job`: what the model does for one prediction or training, and what comes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Protocol

from cogn_runtime.front.logs import LogBuffer
from cogn_runtime.front.messages import Canceled, Failed, Metric, Succeeded, Yielded

__all__ = ["ENDED", "Answer", "Job", "Observer"]

ENDED = "the server ended before the prediction did"
"""What becomes of predictions that are not made any more."""

Answer = Succeeded | Failed | Canceled


class Observer(Protocol):
    """Is told what comes of a job before its answer does."""

    def logged(self, text: str) -> None:
        """Take what was printed."""

    def measured(self, metric: Metric) -> None:
        """Take a metric."""

    def yielded(self, item: Yielded) -> Awaitable[None] | None:
        """Take an item of the output, in its order; the next has to wait for what is returned."""

    def answered(self, answer: Answer) -> None:
        """Take note that the model has ended the job."""


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
        self._begun: float | None = None
        self.result: Answer | None = None
        """The answer, as soon as there is one."""
        self._answered = asyncio.Event()

    @property
    def is_begun(self) -> bool:
        """Whether the worker has it, or will have it next."""
        return self._begun is not None

    def begin(self) -> None:
        """Say that the worker has it, or will have it next."""
        self._begun = time.perf_counter()

    def print(self, text: str) -> None:
        """Add what was printed to the logs."""
        self.logs.write(text)
        if text:
            self.observer.logged(text)

    def finish(self, answer: Answer) -> None:
        """Give the prediction its answer; what comes after the first one is ignored."""
        if self.result is None:
            self.result = answer
            if self._begun is not None:
                self.seconds = time.perf_counter() - self._begun
            self._answered.set()

    def fail(self, error: str) -> None:
        """Say that nothing comes of it; when it was to be canceled, that is what was asked for."""
        self.finish(Canceled(id=self.id) if self.is_canceled else Failed(id=self.id, error=error))

    async def answer(self) -> Answer:
        """Wait for the answer."""
        await self._answered.wait()
        assert self.result is not None
        return self.result
