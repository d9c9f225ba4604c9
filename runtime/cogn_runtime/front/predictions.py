"""Requests about predictions or trainings: from what a client sends to an answer."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import anyio
import msgspec

from cogn_runtime.front.http import Answer, EventStream, RefusedError, Request, Response
from cogn_runtime.front.prediction import Order, Prediction
from cogn_runtime.front.running import DrainingError, Predictions
from cogn_runtime.front.slots import BusyError, NotReadyError
from cogn_runtime.front.supervisor import Supervisor
from cogn_runtime.front.validation import InvalidInputError, validated
from cogn_runtime.front.webhook import EVENTS, WebhookEvent
from cogn_runtime.schema import AnyObject, Nullable, Signature

__all__ = ["Endpoint"]

_WAIT = re.compile(r'wait\s*=\s*"?(\d{1,6})"?')

_MOST_READERS = 1024
_NOT_STREAMING = {
    "prediction": "This model does not support streaming responses. "
    "Add @cog.streaming to predict() to enable SSE.",
    "training": "Training endpoints do not support streaming responses.",
}
_TRACE = ("traceparent", "tracestate")

_log = logging.getLogger("cogn.front")


class _Body(msgspec.Struct):
    """The body of a request; other keys are ignored, as with Cog."""

    input: Any = msgspec.field(default_factory=dict)
    id: str | None = None
    context: dict[str, str] | None = None
    webhook: str | None = None
    webhook_events_filter: list[WebhookEvent] | None = None


class _LargeBody(_Body):
    """The same; the inputs stay as they were written until it is known what they are for."""

    input: dict[str, msgspec.Raw]


_LARGE_BYTES = 64 * 1024
"""Objects in a longer body are handed to the model as they are: making them takes long, and much
more memory than their text."""

_decoder = msgspec.json.Decoder(_Body)
_large_decoder = msgspec.json.Decoder(_LargeBody)


class Endpoint:
    """Answers the requests about all that a server makes: each is a `noun`."""

    def __init__(self, noun: str, supervisor: Supervisor, predictions: Predictions) -> None:
        self._noun = noun
        self._supervisor = supervisor
        self._predictions = predictions

    def create(self, request: Request) -> Answer | Coroutine[Any, Any, Answer]:
        """Make a prediction and return it, or the refusal of the request."""
        wanted = self._read(request)
        id_ = wanted.id if wanted.id is not None else f"pred_{time.time_ns():x}"
        return self._answer(request, id_, wanted)

    def put(self, id_: str, request: Request) -> Answer | Coroutine[Any, Any, Answer]:
        """Make the prediction with that id, or return what is known of it while it is made."""
        wanted = self._read(request)
        if wanted.id not in {None, id_}:
            message = f"{self._noun} ID must match the ID supplied in the URL"
            detail = {"loc": ["body", "id"], "msg": message, "type": "value_error"}
            return Response.json(422, {"detail": [detail]})
        if (running := self._predictions.find(id_)) is not None:
            if _wants_events(request):
                return self._events(running, request)
            known = running.snapshot(with_input=True)
            return Response.json(202, known, headers=_place(running))
        return self._answer(request, id_, wanted)

    def cancel(self, id_: str, _request: Request) -> Response:
        """Ask for the end of a prediction; 404 when none of that id runs."""
        prediction = self._predictions.find(id_)
        if prediction is None:
            return Response.json(404, {})
        self._predictions.cancel(prediction)
        return Response.json(200, {})

    def _read(self, request: Request) -> _Body:
        """Return the body of the request, which is given up for it; raises RefusedError."""
        content_type = request.header("content-type").partition(";")[0].strip().lower()
        body, request.body = request.body, b""
        if not body and not content_type:
            return _Body()
        kind, _, subtype = content_type.partition("/")
        if kind != "application" or not (subtype == "json" or subtype.endswith("+json")):
            message = "The request needs the header `Content-Type: application/json`"
            raise RefusedError(Response.text(415, message))
        try:
            if len(body) > _LARGE_BYTES and self._supervisor.signature is not None:
                return _decoded_large(body, self._supervisor.signature)
            return _decoder.decode(body)
        except msgspec.ValidationError as error:
            message = f"The request body has an unexpected form: {error}"
            raise RefusedError(Response.text(422, message)) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            message = f"The request body is not JSON: {error}"
            raise RefusedError(Response.text(400, message)) from error

    def _answer(
        self, request: Request, id_: str, wanted: _Body
    ) -> Answer | Coroutine[Any, Any, Answer]:
        signature = self._supervisor.signature
        if self._supervisor.is_draining:
            return _refusal(503, "The server is about to end and takes nothing new.")
        if signature is None or self._supervisor.status not in ("READY", "BUSY"):
            return _not_ready()
        is_streamed = _wants_events(request)
        if is_streamed and not (signature.streaming and self._noun == "prediction"):
            return self._no_events()
        try:
            inputs, unknown = validated(signature, wanted.input)
        except InvalidInputError as error:
            return Response.json(422, {"detail": error.detail})
        if unknown:
            _log.warning("dropped unknown inputs: %s", ", ".join(unknown))
        given_filter = wanted.webhook_events_filter
        order = Order(
            id=id_,
            given=wanted.input,
            inputs=inputs,
            signature=signature,
            is_streamed=is_streamed,
            context=wanted.context or {},
            webhook=wanted.webhook,
            webhook_events=EVENTS if given_filter is None else frozenset(given_filter),
            trace={name: text for name in _TRACE if (text := request.header(name))},
        )
        try:
            prediction = self._predictions.admit(order)
        except (NotReadyError, DrainingError):
            return _not_ready()
        except BusyError as error:
            later = [(b"retry-after", str(error.retry_after).encode())]
            return _refusal(409, "At capacity - all prediction slots busy", later)
        if is_streamed:
            self._predictions.run_apart(prediction)
            return self._events(prediction, request)
        return self._made(prediction, request)

    async def _made(self, prediction: Prediction, request: Request) -> Response:
        """Make the prediction; return it, or at once or after a while that it is being made."""
        preference = _Preference.read(request.header("prefer"))
        if preference.is_async:
            self._predictions.run_apart(prediction)
            if preference.wait:
                with anyio.move_on_after(preference.wait):
                    await prediction.end()
            if not prediction.is_over:
                applied = [(b"preference-applied", b"respond-async"), *_place(prediction)]
                known = {"id": prediction.id, "status": prediction.status}
                return Response.json(202, known, headers=applied)
            return Response.json(200, prediction.answer())

        def gone() -> None:
            _log.info("canceling %s %s: its client is gone", self._noun, prediction.id)
            self._predictions.cancel(prediction)

        request.watch(gone)
        await self._predictions.run(prediction)
        request.watch(None)
        return Response.json(200, prediction.answer())

    def _events(self, prediction: Prediction, request: Request) -> Answer:
        """Return the prediction's events; one made for those who look on ends with the last."""
        events = prediction.events
        if events is None:
            return self._no_events()
        if events.readers >= _MOST_READERS:
            return Response.json(429, {"error": "Too many stream subscribers"})

        def ended() -> None:
            if prediction.order.is_streamed and not events.readers:
                self._predictions.cancel(prediction)

        return EventStream(events.read(), ended)

    def _no_events(self) -> Response:
        return Response.json(406, {"error": _NOT_STREAMING[self._noun]})


def _wants_events(request: Request) -> bool:
    return "text/event-stream" in request.header("accept")


def _place(prediction: Prediction) -> list[tuple[bytes, bytes]]:
    """Return the header that tells the place in line, if it waits in line."""
    number = prediction.number
    return [(b"cogn-queue-position", str(number).encode())] if number else []


@dataclass(frozen=True)
class _Preference:
    """What the header ``Prefer`` (RFC 7240) says; `wait` is in seconds."""

    is_async: bool
    wait: float

    @classmethod
    def read(cls, header: str) -> _Preference:
        if not header:
            return _NO_PREFERENCE
        parts = [part.partition(";")[0].strip().lower() for part in header.split(",")]
        waits = [int(match[1]) for part in parts if (match := _WAIT.fullmatch(part))]
        return cls("respond-async" in parts, waits[0] if waits else 0)


_NO_PREFERENCE = _Preference(is_async=False, wait=0)


def _decoded_large(body: bytes | bytearray, signature: Signature) -> _Body:
    """Return a body in which the inputs that are any object are JSON yet; raises as decoding does.

    What is no object, or in no object, is decoded: the rules for inputs are about it.
    """
    kinds = (AnyObject(), Nullable(AnyObject()))
    objects = {field.name for field in signature.inputs if field.type in kinds}
    if not objects:
        return _decoder.decode(body)
    if not body.isascii():
        body.decode()  # what is not decoded below is not looked at for this
    try:
        wanted = _large_decoder.decode(body)
    except msgspec.ValidationError:
        return _decoder.decode(body)
    wanted.input = {
        name: raw
        if name in objects and memoryview(raw)[0] == ord("{")
        else msgspec.json.decode(raw)
        for name, raw in wanted.input.items()
    }
    return wanted


def _not_ready() -> Response:
    message = "Wait until it has finished, or GET /health-check for status."
    return _refusal(503, f"Setup has not finished yet. {message}")


def _refusal(status: int, error: str, headers: list[tuple[bytes, bytes]] | None = None) -> Response:
    return Response.json(status, {"error": error, "status": "failed"}, headers=headers or ())
