"""`Predictions`: all that are not over yet, from their admission to their end."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import anyio
import anyio.abc

from cogn_runtime.front.events import Events
from cogn_runtime.front.files import FileError, file_urls, local_files
from cogn_runtime.front.jobs import ENDED, Answer
from cogn_runtime.front.measurements import Measurements
from cogn_runtime.front.messages import Canceled, Failed, Succeeded
from cogn_runtime.front.prediction import Order, Prediction
from cogn_runtime.front.slots import BusyError
from cogn_runtime.front.supervisor import Supervisor
from cogn_runtime.front.uploads import Uploads
from cogn_runtime.front.webhook import Webhook, WebhookOptions

__all__ = ["DrainingError", "Predictions"]

_MOST_FETCHING = 16
"""Predictions whose files are on the way hold no slot; so many may be at it at once."""

_log = logging.getLogger("cogn.front")


class DrainingError(Exception):
    """Raised when a prediction is asked for and the server is about to end."""


class Predictions:
    """All predictions that are not over yet, by their ids; each runs in a task of `tasks`."""

    def __init__(
        self,
        supervisor: Supervisor,
        tasks: anyio.abc.TaskGroup,
        measurements: Measurements,
        *,
        history: int,
        webhooks: WebhookOptions,
        uploads: Uploads | None,
    ) -> None:
        """Keep the last `history` events of each for those who look on."""
        self._supervisor = supervisor
        self._tasks = tasks
        self._measurements = measurements
        self._history = history
        self._webhooks = webhooks
        self._uploads = uploads
        self._running: dict[str, Prediction] = {}
        self._fetching = 0
        self._open = 0
        self._idle = anyio.Event()

    def find(self, id_: str) -> Prediction | None:
        """Return the prediction with that id, if it is not over."""
        prediction = self._running.get(id_)
        return None if prediction is None or prediction.is_answered else prediction

    def admit(self, order: Order) -> Prediction:
        """Return a prediction that is to be run now.

        Its slot, or its place in line, it has at once; where files are to be fetched first, when
        they are here. Raises DrainingError, NotReadyError or BusyError.
        """
        slots = self._supervisor.slots
        if self._supervisor.is_draining:
            raise DrainingError
        if not slots.has_free:
            self._supervisor.hear()
        if self.find(order.id) is not None:
            raise BusyError(slots.retry_after)
        events = Events(self._history) if order.signature.streaming else None
        prediction = Prediction(order, events, self._webhooks, self._uploads)
        urls = file_urls(order.signature, order.inputs)
        if all(url.startswith("data:") for url in urls):
            prediction.place = slots.enter(prediction.job)
        else:
            slots.require()
            if self._fetching >= _MOST_FETCHING:
                raise BusyError(slots.retry_after)
        self._running[order.id] = prediction
        self._open += 1
        if prediction.place is not None and not urls:
            self._begin(prediction)
        return prediction

    def _begin(self, prediction: Prediction) -> None:
        """Let the model begin at once, before other requests are looked at, if nothing is to do."""
        order, job = prediction.order, prediction.job
        is_simple = order.signature.output_mode == "value" and not prediction.output.is_delivered
        if is_simple and not prediction.number:
            self._supervisor.begin(job, order.inputs, order.context)

    def run_apart(self, prediction: Prediction) -> None:
        """Run a prediction that was admitted, whoever waits for it."""
        self._tasks.start_soon(self.run, prediction)

    def cancel(self, prediction: Prediction) -> None:
        """Ask for the end of a prediction; when it is over already, nothing happens."""
        if not prediction.job.is_canceled:
            prediction.cancel()
            self._tasks.start_soon(self._supervisor.cancel, prediction.job)

    def expire(self, error: str) -> None:
        """Fail all predictions; the model is left to itself."""
        for prediction in list(self._running.values()):
            prediction.expire(error)
        self._supervisor.abandon(error)

    async def idle(self) -> None:
        """Wait until no prediction runs, and all webhooks were told."""
        while self._open:
            self._idle = anyio.Event()
            await self._idle.wait()

    async def run(self, prediction: Prediction) -> None:
        """Run a prediction that was admitted, to its end."""
        if prediction.webhook is not None:
            self._open += 1
            self._tasks.start_soon(self._tell, prediction.webhook)
        try:
            await self._make(prediction)
        finally:
            self._measurements.predicted(prediction.status, prediction.job.seconds)
            self._close()

    async def _tell(self, webhook: Webhook) -> None:
        try:
            await webhook.run()
        finally:
            self._close()

    def _close(self) -> None:
        self._open -= 1
        self._idle.set()

    async def _make(self, prediction: Prediction) -> None:
        """Make the prediction. Its slot is free again before anybody hears of its end."""
        try:
            if prediction.output.is_delivered:
                async with prediction.output.delivering():
                    answer = await self._left(prediction)
            else:
                answer = await self._left(prediction)
            ending = prediction.ending(answer)
        except Exception:  # noqa: BLE001 - a fault of one prediction must not end the server
            _log.exception("prediction %s", prediction.id)
            ending = Failed(id=prediction.id, error="internal error of the server; see its log")
        except BaseException:
            prediction.close("failed", ENDED)
            raise
        finally:
            if self._running.get(prediction.id) is prediction:
                del self._running[prediction.id]
        match ending:
            case Failed(_, error):
                prediction.close("failed", error)
            case Canceled():
                prediction.close("canceled")
            case Succeeded():
                prediction.close("succeeded")

    async def _left(self, prediction: Prediction) -> Answer:
        """Return the model's answer, the slot left."""
        try:
            answer = await self._answer(prediction)
            prediction.job.finish(answer)  # who waits to see it canceled, sees its end
        finally:
            prediction.job.fail(ENDED)
            prediction.leave()
        return answer

    async def _answer(self, prediction: Prediction) -> Answer:
        """Return the model's answer; the output is taken, so that the slot may be left."""
        job = prediction.job
        if job.is_begun:
            prediction.begin()
            return await self._taken(prediction, await job.answer())
        order = prediction.order
        async with contextlib.AsyncExitStack() as files:
            try:
                inputs = await self._localized(prediction, files)
            except FileError as error:
                return Failed(id=job.id, error=str(error))
            if inputs is None:
                return job.result or Canceled(id=job.id)
            prediction.begin()
            if order.signature.output_mode != "value":
                return await self._collected(prediction, inputs)
            answer = await self._supervisor.predict(job, inputs, order.context)
            return await self._taken(prediction, answer)

    async def _taken(self, prediction: Prediction, answer: Answer) -> Answer:
        if isinstance(answer, Succeeded):
            await prediction.output.take(answer.output, answer.files)
        return answer

    async def _collected(self, prediction: Prediction, inputs: dict[str, Any]) -> Answer:
        """Return the model's answer, the items of the output collected."""
        job = prediction.job

        async def acknowledge() -> None:
            await self._supervisor.taken(job)

        async def end_overflow() -> None:
            await prediction.overflowed.wait()
            await self._supervisor.cancel(job)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(end_overflow)
            async with prediction.output.collecting(acknowledge):
                answer = await self._supervisor.predict(job, inputs, prediction.order.context)
            tasks.cancel_scope.cancel()
        return answer

    async def _localized(
        self, prediction: Prediction, files: contextlib.AsyncExitStack
    ) -> dict[str, Any] | None:
        """Return the inputs with local files, the slot taken; None when it is not wanted any more.

        Those in line have their files made when it is their turn.
        """
        with prediction.waiting:
            if prediction.place is None:
                self._fetching += 1
                try:
                    local = await self._local(prediction, files)
                finally:
                    self._fetching -= 1
                prediction.place = self._supervisor.slots.line_up(prediction.job)
                await prediction.place.turn()
            else:
                await prediction.place.turn()
                local = await self._local(prediction, files)
            # It may have been canceled after the last thing that could be interrupted.
            return None if prediction.waiting.cancel_called else local
        return None

    async def _local(
        self, prediction: Prediction, files: contextlib.AsyncExitStack
    ) -> dict[str, Any]:
        order = prediction.order
        return await files.enter_async_context(
            local_files(order.signature, dict(order.inputs), self._webhooks.outgoing)
        )
