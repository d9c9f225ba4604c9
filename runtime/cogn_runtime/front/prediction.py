"""One prediction or training, as clients see it."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Collection, Mapping
from typing import Any, Literal

import anyio
import msgspec

from cogn_runtime.front.events import Events
from cogn_runtime.front.jobs import Answer, Job
from cogn_runtime.front.messages import Canceled, Failed, Metric, Succeeded, Yielded
from cogn_runtime.front.metrics import Metrics
from cogn_runtime.front.output import Output
from cogn_runtime.front.slots import Place
from cogn_runtime.front.uploads import Uploads
from cogn_runtime.front.webhook import Webhook, WebhookEvent, WebhookOptions
from cogn_runtime.schema import Signature

__all__ = ["Order", "Prediction"]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for: `inputs` are complete and valid, `given` is what the client sent."""

    id: str
    given: Any
    inputs: Mapping[str, Any]
    signature: Signature
    is_streamed: bool = False
    """Whether the prediction is made for one who looks on, and only as long as somebody does."""
    webhook: str | None = None
    webhook_events: Collection[WebhookEvent] = ()
    context: Mapping[str, str] = msgspec.field(default_factory=dict)
    """What the client sent for the model beside the inputs."""
    trace: Mapping[str, str] = msgspec.field(default_factory=dict)
    """The headers that carry the caller's trace (https://www.w3.org/TR/trace-context/)."""


class Prediction:
    """One prediction, as clients see it."""

    def __init__(
        self,
        order: Order,
        events: Events | None,
        options: WebhookOptions,
        uploads: Uploads | None,
    ) -> None:
        self.order = order
        self.job = Job(order.id, self)
        self.output = Output(uploads, self._told, self._overflowed)
        self.events = events
        """What those see who look on, if the model lets them."""
        self.status: Literal["starting", "processing", "succeeded", "failed", "canceled"] = (
            "starting"
        )
        self.error: str | None = None
        self.metrics = Metrics()
        self.place: Place | None = None
        """Its slot or place in line, as soon as it has one."""
        self.overflowed = asyncio.Event()
        """Set when the model gives more than can be kept."""
        self.webhook: Webhook | None = None
        if order.webhook is not None:
            self.webhook = Webhook(
                order.webhook, order.webhook_events, options, order.trace, self.snapshot
            )
        self.is_answered = False
        """Whether all that is left to do is to tell of its end."""
        self._expired: str | None = None
        self._ended = asyncio.Event()

    @functools.cached_property
    def waiting(self) -> anyio.CancelScope:
        """What goes on before the model has the prediction."""
        return anyio.CancelScope()

    @property
    def id(self) -> str:
        """The id that the client chose, or one of ours."""
        return self.order.id

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return self._ended.is_set()

    @property
    def number(self) -> int:
        """Its place in line, from 1 on; 0 when it does not wait in line."""
        return 0 if self.place is None else self.place.number

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
        if self.metrics.record(metric):
            told = {"mode": metric.mode, "name": metric.name, "value": metric.value}
            self._tell(None, "metric", told)

    def yielded(self, item: Yielded) -> Awaitable[None] | None:
        """Take an item of the output, in its order; the next has to wait for what is returned."""
        return self.output.yielded(item)

    def answered(self, answer: Answer) -> None:
        """Give slot and id to others at once, unless there are files of the model to be read."""
        has_files = isinstance(answer, Succeeded) and answer.files
        if not has_files and not self.output.is_delivered:
            self.is_answered = True
            self.leave()

    def leave(self) -> None:
        """Give the slot, or the place in line, to others."""
        if self.place is not None:
            self.place.leave()

    def cancel(self) -> None:
        """Take note that somebody wants it to end, and wait for nothing outside of the model."""
        self.job.is_canceled = True
        self.waiting.cancel()
        self.output.stop()

    def expire(self, error: str) -> None:
        """Fail it wherever it is; the model is not asked to end."""
        self._expired = error
        self.job.fail(error)
        self.waiting.cancel()
        self.output.stop()

    def ending(self, answer: Answer) -> Answer:
        """Return what becomes of the prediction after the model's `answer`."""
        if self._expired is not None:
            return Failed(id=self.id, error=self._expired)
        if self.output.is_too_large:
            return Failed(id=self.id, error=self.output.error or "")
        if isinstance(answer, Succeeded):
            if self.output.is_stopped:
                return Canceled(id=self.id)
            if self.output.error is not None:
                return Failed(id=self.id, error=self.output.error)
        return answer

    def close(
        self, status: Literal["succeeded", "failed", "canceled"], error: str | None = None
    ) -> None:
        """Say how the prediction ended."""
        self.status, self.error = status, error
        has_items = self.order.signature.output_mode != "value" and self.output.value
        if status != "succeeded" and not has_items:
            self.output.value = msgspec.UNSET
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
        if self.output.value is not msgspec.UNSET:
            known["output"] = self.output.value
        if self.error is not None:
            known["error"] = self.error
        known["logs"] = self.job.logs.text()
        known["metrics"] = dict(self.metrics.tree)
        if self.is_over:
            known["metrics"]["predict_time"] = self.job.seconds
        return known

    def answer(self) -> dict[str, Any]:
        """Return the snapshot for who waited.

        As with Cog, items that came before a failure are for those who were told of them.
        """
        known = self.snapshot()
        if self.status != "succeeded":
            known.pop("output", None)
        return known

    def _told(self, value: object, index: int) -> None:
        if self.order.signature.output_mode != "value":
            self._tell("output", "output", {"chunk": value, "index": index})
        elif self.events is not None:
            self.events.add("output", {"chunk": value, "index": index})

    def _overflowed(self) -> None:
        self.overflowed.set()

    def _tell(self, webhook: WebhookEvent | None, event: str, data: dict[str, Any]) -> None:
        if self.events is not None:
            self.events.add(event, data)
        if self.webhook is not None and webhook is not None:
            self.webhook.tell(webhook)
