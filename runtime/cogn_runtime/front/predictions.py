"""Requests about predictions: from what a client sends to a prediction, and back to an answer."""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass
from typing import Any

import anyio
import msgspec

from cogn_runtime.front.http import EventStream, RefusedError, Request, Response
from cogn_runtime.front.prediction import Order, Prediction, Predictions
from cogn_runtime.front.supervisor import BusyError, NotReadyError, Supervisor
from cogn_runtime.front.validation import InvalidInputError, validated
from cogn_runtime.front.webhook import EVENTS, WebhookEvent

__all__ = ["Answer", "cancel_prediction", "create_prediction", "put_prediction"]

_WAIT = re.compile(r'wait\s*=\s*"?(\d{1,6})"?')

_MOST_READERS = 1024
_NOT_STREAMING = (
    "This model does not support streaming responses. "
    "Add @cog.streaming to predict() to enable SSE."
)
_TRACE = ("traceparent", "tracestate")

_log = logging.getLogger("cogn.front")


Answer = Response | EventStream


class _Body(msgspec.Struct):
    """The body of a request; other keys are ignored, as with Cog."""

    input: Any = msgspec.field(default_factory=dict)
    id: str | None = None
    context: dict[str, str] | None = None
    webhook: str | None = None
    webhook_events_filter: list[WebhookEvent] | None = None


_decoder = msgspec.json.Decoder(_Body)


async def create_prediction(
    request: Request, supervisor: Supervisor, predictions: Predictions
) -> Answer:
    """Make a prediction and return it, or the refusal of the request."""
    wanted = await _read(request)
    id_ = wanted.id if wanted.id is not None else f"pred_{time.time_ns():x}"
    return await _answer(request, id_, wanted, supervisor, predictions)


async def put_prediction(
    request: Request, id_: str, supervisor: Supervisor, predictions: Predictions
) -> Answer:
    """Make the prediction with that id, or return what is known of it while it is made."""
    wanted = await _read(request)
    if (running := predictions.find(id_)) is not None:
        if _wants_events(request):
            return _events(running, request, predictions)
        return Response.json(202, running.snapshot(with_input=True))
    if wanted.id not in {None, id_}:
        message = "prediction ID must match the ID supplied in the URL"
        detail = {"loc": ["body", "id"], "msg": message, "type": "value_error"}
        return Response.json(422, {"detail": [detail]})
    return await _answer(request, id_, wanted, supervisor, predictions)


async def cancel_prediction(id_: str, predictions: Predictions) -> Response:
    """Ask for the end of a prediction; 404 when none of that id runs."""
    prediction = predictions.find(id_)
    if prediction is None:
        return Response.json(404, {})
    predictions.cancel(prediction)
    return Response.json(200, {})


async def _answer(
    request: Request, id_: str, wanted: _Body, supervisor: Supervisor, predictions: Predictions
) -> Answer:
    preference = _Preference.read(request.header("prefer"))
    signature = supervisor.signature
    if signature is None or supervisor.status not in ("READY", "BUSY"):
        return _not_ready()
    is_streamed = _wants_events(request)
    if is_streamed and not signature.streaming:
        return Response.json(406, {"error": _NOT_STREAMING})
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
        prediction = predictions.admit(order)
    except NotReadyError:
        return _not_ready()
    except BusyError:
        return _refusal(409, "At capacity - all prediction slots busy")
    if is_streamed:
        predictions.run_apart(prediction)
        return _events(prediction, request, predictions)
    if preference.is_async:
        predictions.run_apart(prediction)
        if preference.wait:
            with anyio.move_on_after(preference.wait):
                await prediction.end()
        if not prediction.is_over:
            applied = [(b"preference-applied", b"respond-async")]
            return Response.json(202, {"id": id_, "status": prediction.status}, headers=applied)
        return Response.json(200, prediction.snapshot())

    def gone() -> None:
        _log.info("canceling prediction %s: its client is gone", prediction.id)
        predictions.cancel(prediction)

    with request.watched(gone):
        await predictions.run(prediction)
    return Response.json(200, prediction.snapshot())


def _wants_events(request: Request) -> bool:
    return "text/event-stream" in request.header("accept")


def _events(prediction: Prediction, request: Request, predictions: Predictions) -> Answer:
    """Return the prediction's events; one made for those who look on ends with the last of them."""
    events = prediction.events
    if events is None:
        return Response.json(406, {"error": _NOT_STREAMING})
    if events.readers >= _MOST_READERS:
        return Response.json(429, {"error": "Too many stream subscribers"})

    def ended() -> None:
        if prediction.order.is_streamed and not events.readers:
            predictions.cancel(prediction)

    return EventStream(events.read(), request, ended)


@dataclass(frozen=True)
class _Preference:
    """What the header ``Prefer`` (RFC 7240) says; `wait` is in seconds."""

    is_async: bool
    wait: float

    @classmethod
    def read(cls, header: str) -> _Preference:
        parts = [part.partition(";")[0].strip().lower() for part in header.split(",")]
        waits = [int(match[1]) for part in parts if (match := _WAIT.fullmatch(part))]
        return cls("respond-async" in parts, waits[0] if waits else 0)


async def _read(request: Request) -> _Body:
    """Return the body of the request; raises RefusedError."""
    content_type = request.header("content-type").partition(";")[0].strip().lower()
    body = await request.body()
    if not body and not content_type:
        return _Body()
    kind, _, subtype = content_type.partition("/")
    if kind != "application" or not (subtype == "json" or subtype.endswith("+json")):
        message = "The request needs the header `Content-Type: application/json`"
        raise RefusedError(Response.text(415, message))
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        message = f"The request body has an unexpected form: {error}"
        raise RefusedError(Response.text(422, message)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"The request body is not JSON: {error}"
        raise RefusedError(Response.text(400, message)) from error


def _not_ready() -> Response:
    message = "Wait until it has finished, or GET /health-check for status."
    return _refusal(503, f"Setup has not finished yet. {message}")


def _refusal(status: int, error: str) -> Response:
    return Response.json(status, {"error": error, "status": "failed"})
