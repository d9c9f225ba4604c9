"""`POST /predictions`: from the request to the finished prediction."""

from __future__ import annotations

import logging
import time
from typing import Any, Literal

import msgspec

from cogn_runtime.front.files import FileError, local_files, with_data_urls
from cogn_runtime.front.http import RefusedError, Request, Response
from cogn_runtime.front.messages import Failed, Succeeded
from cogn_runtime.front.supervisor import BusyError, Job, NotReadyError, Supervisor
from cogn_runtime.front.validation import InvalidInputError, validated
from cogn_runtime.schema import Signature

__all__ = ["post_prediction"]

_log = logging.getLogger("cogn.front")


class _Body(msgspec.Struct):
    """The body of a request; other keys are ignored, as with Cog."""

    input: Any = msgspec.field(default_factory=dict)
    id: str | None = None
    context: dict[str, str] | None = None
    webhook: str | None = None
    webhook_events_filter: list[Literal["start", "output", "logs", "completed"]] | None = None


_decoder = msgspec.json.Decoder(_Body)


async def post_prediction(request: Request, supervisor: Supervisor) -> Response:
    """Make a prediction and return it, or the refusal of the request.

    The slot is free again before the answer is sent, so that a client which has its answer can
    ask for the next prediction.
    """
    wanted = await _read(request)
    _refuse_unsupported(request, wanted)
    signature = supervisor.signature
    if signature is None or supervisor.status not in ("READY", "BUSY"):
        return _not_ready()
    try:
        inputs, unknown = validated(signature, wanted.input)
    except InvalidInputError as error:
        return Response.json(422, {"detail": error.detail})
    if unknown:
        _log.warning("dropped unknown inputs: %s", ", ".join(unknown))
    id_ = wanted.id if wanted.id is not None else f"pred_{time.time_ns():x}"
    try:
        with supervisor.slot(id_) as job:
            return await _prediction(supervisor, signature, job, inputs)
    except NotReadyError:
        return _not_ready()
    except BusyError:
        return _refusal(409, "At capacity - all prediction slots busy")


async def _prediction(
    supervisor: Supervisor, signature: Signature, job: Job, inputs: dict[str, Any]
) -> Response:
    """Return the finished prediction, its files read; the model may overwrite them in the next."""
    prediction: dict[str, Any] = {"id": job.id}
    try:
        async with local_files(signature, inputs) as local:
            match await supervisor.predict(job, local):
                case Succeeded(_, output, files):
                    prediction["output"] = await with_data_urls(output, files)
                    prediction["status"] = "succeeded"
                case Failed(_, error):
                    prediction |= {"error": error, "status": "failed"}
    except FileError as error:
        prediction |= {"error": str(error), "status": "failed"}
    prediction["logs"] = job.logs.text()
    prediction["metrics"] = {"predict_time": job.seconds}
    return Response.json(200, prediction)


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


def _refuse_unsupported(request: Request, wanted: _Body) -> None:
    """Raise RefusedError when the request asks for a way to answer that there is not yet."""
    if "text/event-stream" in request.header("accept"):
        raise RefusedError(
            Response.json(406, {"error": "This server does not stream responses yet"})
        )
    for asked, what in (
        (request.header("prefer") == "respond-async", "`Prefer: respond-async`"),
        (wanted.webhook is not None, "`webhook`"),
        (bool(wanted.context), "`context`"),
    ):
        if asked:
            raise RefusedError(_refusal(501, f"{what} is not supported yet"))


def _not_ready() -> Response:
    message = "Wait until it has finished, or GET /health-check for status."
    return _refusal(503, f"Setup has not finished yet. {message}")


def _refusal(status: int, error: str) -> Response:
    return Response.json(status, {"error": error, "status": "failed"})
