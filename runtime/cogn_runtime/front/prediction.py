"""Predictions from their admission to their end, whoever waits for them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio
import anyio.abc
import msgspec
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from cogn_runtime.front.events import Events
from cogn_runtime.front.files import FileError, is_remote, local_files, with_data_urls
from cogn_runtime.front.messages import Canceled, Failed, Metric, Succeeded, Yielded
from cogn_runtime.front.metrics import record
from cogn_runtime.front.supervisor import ENDED, BusyError, Job, Supervisor
from cogn_runtime.front.webhook import Webhook, WebhookEvent, WebhookOptions
from cogn_runtime.schema import Signature

__all__ = ["Order", "Prediction", "Predictions"]

_MOST_FETCHING = 16
"""Predictions whose files are on the way hold no slot; so many may be at it at once."""
_MOST_ITEMS = 256
"""Items of an output that may wait for the front; then the model's socket does."""

_log = logging.getLogger("cogn.front")


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is asked for: `inputs` are complete and valid, `given` is what the client sent."""

    id: str
    given: Any
    inputs: Mapping[str, Any]
    signature: Signature
    is_streamed: bool = False
    """Whether the prediction is made for one who looks on, and only as long as somebody does."""
    webhook: str | None = None
    webhook_events: Collection[WebhookEvent] = ()
    context: Mapping[str, str] = field(default_factory=dict)
    """What the client sent for the model beside the inputs."""
    trace: Mapping[str, str] = field(default_factory=dict)
    """The headers that carry the caller's trace (https://www.w3.org/TR/trace-context/)."""


class Prediction:
    """One prediction, as clients see it."""

    def __init__(self, order: Order, events: Events | None, options: WebhookOptions) -> None:
        self.order = order
        self.job = Job(order.id, self)
        self.events = events
        """What those see who look on, if the model lets them."""
        self.status: Literal["starting", "processing", "succeeded", "failed", "canceled"] = (
            "starting"
        )
        self.output: object = msgspec.UNSET
        self.error: str | None = None
        self.metrics: dict[str, Any] = {}
        self.slot = contextlib.ExitStack()
        """What holds the slot, as soon as there is one."""
        self.waiting = anyio.CancelScope()
        """What goes on before the model has the prediction."""
        self.webhook: Webhook | None = None
        if order.webhook is not None:
            self.webhook = Webhook(
                order.webhook, order.webhook_events, options, order.trace, self.snapshot
            )
        self._ended = anyio.Event()
        self._items: MemoryObjectSendStream[Yielded] | None = None

    @property
    def id(self) -> str:
        """The id that the client chose, or one of ours."""
        return self.order.id

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return self._ended.is_set()

    async def end(self) -> None:
        """Wait until the prediction is over."""
        await self._ended.wait()

    def begin(self) -> None:
        """Say that the model has the prediction now."""
        self.status = "processing"
        self._tell("start", "start", {"id": self.id, "status": self.status})

    def logged(self, text: str) -> None:
        """Take what was printed."""
        self._tell("logs", "log", {"data": text, "source": "output"})

    def measured(self, metric: Metric) -> None:
        """Take a metric."""
        record(self.metrics, metric)
        told = {"mode": metric.mode, "name": metric.name, "value": metric.value}
        self._tell(None, "metric", told)

    async def yielded(self, item: Yielded) -> None:
        """Take an item of the output, in its order."""
        if self._items is not None:
            with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                await self._items.send(item)

    @contextlib.asynccontextmanager
    async def collecting(self, supervisor: Supervisor) -> AsyncIterator[None]:
        """Within the block, make the output of the items that come; after it, it is whole."""
        self._items, received = anyio.create_memory_object_stream[Yielded](_MOST_ITEMS)
        async with anyio.create_task_group() as tasks:
            with self._items:
                tasks.start_soon(self._collect, received, supervisor)
                yield

    async def _collect(
        self, received: MemoryObjectReceiveStream[Yielded], supervisor: Supervisor
    ) -> None:
        """Take items to the last; a file that cannot be read fails the prediction in the end."""
        output: list[object] = []
        self.output = output
        with received:
            async for item in received:
                try:
                    value = await with_data_urls(item.output, item.files)
                except FileError as error:
                    self.error = self.error or str(error)
                    value = None
                if item.files:
                    await supervisor.taken(self.job)
                output.append(value)
                self._tell("output", "output", {"chunk": value, "index": len(output) - 1})

    def close(
        self, status: Literal["succeeded", "failed", "canceled"], error: str | None = None
    ) -> None:
        """Say how the prediction ended."""
        self.status, self.error = status, error
        if status != "succeeded":
            self.output = msgspec.UNSET
        self._ended.set()
        if self.events is not None:
            self.events.close("completed", self.snapshot())
        if self.webhook is not None:
            self.webhook.close()

    def snapshot(self, *, with_input: bool = False) -> dict[str, Any]:
        """Return what is known now, as it stands in answers."""
        known: dict[str, Any] = {"id": self.id, "status": self.status}
        if with_input:
            known["input"] = self.order.given
        if self.output is not msgspec.UNSET:
            known["output"] = self.output
        if self.error is not None:
            known["error"] = self.error
        known["logs"] = self.job.logs.text()
        known["metrics"] = dict(self.metrics)
        if self.is_over:
            known["metrics"]["predict_time"] = self.job.seconds
        return known

    def _tell(self, webhook: WebhookEvent | None, event: str, data: dict[str, Any]) -> None:
        if self.events is not None:
            self.events.add(event, data)
        if self.webhook is not None and webhook is not None:
            self.webhook.tell(webhook)


class Predictions:
    """All predictions that are not over yet, by their ids; each runs in a task of `tasks`."""

    def __init__(
        self,
        supervisor: Supervisor,
        tasks: anyio.abc.TaskGroup,
        *,
        history: int,
        webhooks: WebhookOptions,
    ) -> None:
        """Keep the last `history` events of each for those who look on."""
        self._supervisor = supervisor
        self._tasks = tasks
        self._history = history
        self._webhooks = webhooks
        self._running: dict[str, Prediction] = {}
        self._fetching = 0
        self._open = 0
        self._idle = anyio.Event()

    def find(self, id_: str) -> Prediction | None:
        """Return the prediction with that id, if it is not over."""
        return self._running.get(id_)

    def admit(self, order: Order) -> Prediction:
        """Return a prediction that is to be run now; raises NotReadyError or BusyError.

        One whose files are to be fetched first waits for its slot when they are here; any other
        has it at once.
        """
        if order.id in self._running:
            raise BusyError
        events = Events(self._history) if order.signature.streaming else None
        prediction = Prediction(order, events, self._webhooks)
        if is_remote(order.signature, order.inputs):
            self._supervisor.require_slot()
            if self._fetching >= _MOST_FETCHING:
                raise BusyError
        else:
            prediction.slot.enter_context(self._supervisor.slot(prediction.job))
        self._running[order.id] = prediction
        self._open += 1
        return prediction

    def run_apart(self, prediction: Prediction) -> None:
        """Run a prediction that was admitted, whoever waits for it."""
        self._tasks.start_soon(self.run, prediction)

    def cancel(self, prediction: Prediction) -> None:
        """Ask for the end of a prediction; when it is over already, nothing happens."""
        if not prediction.job.is_canceled:
            prediction.job.is_canceled = True
            prediction.waiting.cancel()
            self._tasks.start_soon(self._supervisor.cancel, prediction.job)

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
            with prediction.slot:
                ending = await self._ending(prediction)
        except Exception:  # noqa: BLE001 - a fault of one prediction must not end the server
            _log.exception("prediction %s", prediction.id)
            ending = Failed(id=prediction.id, error="internal error of the server; see its log")
        except BaseException:
            prediction.close("failed", ENDED)
            raise
        finally:
            del self._running[prediction.id]
        match ending:
            case Failed(_, error):
                prediction.close("failed", error)
            case Canceled():
                prediction.close("canceled")
            case Succeeded():
                prediction.close("succeeded")

    async def _ending(self, prediction: Prediction) -> Succeeded | Failed | Canceled:
        job = prediction.job
        async with contextlib.AsyncExitStack() as files:
            try:
                inputs = await self._localized(prediction, files)
            except FileError as error:
                return Failed(id=job.id, error=str(error))
            if inputs is None:
                return Canceled(id=job.id)
            prediction.begin()
            answer = await self._answer(prediction, inputs)
            if isinstance(answer, Succeeded) and prediction.error is None:
                try:
                    await self._take_output(prediction, answer)
                except FileError as error:
                    return Failed(id=job.id, error=str(error))
            elif isinstance(answer, Succeeded):
                return Failed(id=job.id, error=prediction.error or "")
            return answer

    async def _answer(
        self, prediction: Prediction, inputs: dict[str, Any]
    ) -> Succeeded | Failed | Canceled:
        """Return the model's answer, the items of the output collected."""
        context = prediction.order.context
        if prediction.order.signature.output_mode == "value":
            return await self._supervisor.predict(prediction.job, inputs, context)
        async with prediction.collecting(self._supervisor):
            return await self._supervisor.predict(prediction.job, inputs, context)

    async def _take_output(self, prediction: Prediction, answer: Succeeded) -> None:
        if prediction.order.signature.output_mode == "value":
            prediction.output = await with_data_urls(answer.output, answer.files)
            if prediction.events is not None:
                prediction.events.add("output", {"chunk": prediction.output, "index": 0})

    async def _localized(
        self, prediction: Prediction, files: contextlib.AsyncExitStack
    ) -> dict[str, Any] | None:
        """Return the inputs with local files, the slot taken; None when it was canceled before."""
        order, job = prediction.order, prediction.job
        local: dict[str, Any] | None = None
        self._fetching += 1
        try:
            with prediction.waiting:
                local = await files.enter_async_context(
                    local_files(order.signature, dict(order.inputs))
                )
                await self._supervisor.turn(job, prediction.slot)
        finally:
            self._fetching -= 1
        return None if job.is_canceled else local
