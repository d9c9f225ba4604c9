"""Makes predictions one after the other, in the main thread: for ordinary models."""

from __future__ import annotations

import contextlib
from typing import Any

from cog.scope import entered
from cogn_runtime.worker.answers import item_frame, result_frame, scope_of
from cogn_runtime.worker.cancelation import Cancelation
from cogn_runtime.worker.channel import Channel
from cogn_runtime.worker.failures import describe, flush, print_traceback
from cogn_runtime.worker.inputs import python_inputs
from cogn_runtime.worker.loader import Model
from cogn_runtime.worker.outputs import json_output

__all__ = ["serve"]


def serve(model: Model, channel: Channel) -> None:
    """Say that the model is ready, and answer requests until the front says stop."""
    cancelation = Cancelation(channel)

    def receive(request: dict[str, Any]) -> None:
        cancelation.expect(request["id"])
        channel.enqueue(request)

    channel.on_cancel = cancelation.request
    channel.on_predict = receive
    channel.send("ready")
    for request in channel.requests():
        answer = _predict(model, request, channel, cancelation)
        flush()
        channel.send_frame(answer)


def _predict(
    model: Model, request: dict[str, Any], channel: Channel, cancelation: Cancelation
) -> bytes:
    """Return the frame that answers one request."""
    id_ = request["id"]
    scope = scope_of(id_, request["context"], channel)
    # A model may call sys.exit() or interrupt itself anywhere: that fails what it was doing and
    # not the worker, hence BaseException.
    try:
        with (
            cancelation.running(id_),
            contextlib.ExitStack() as resources,
            entered(scope, alone=True),
        ):
            arguments = python_inputs(model.signature, request["input"], resources)
            result = model.run(**arguments)
            if model.signature.output_mode == "value":
                output, files = json_output(result)
            else:
                _send_items(id_, result, channel)
                output, files = None, []
    except BaseException as error:  # noqa: BLE001
        if cancelation.is_delivered:
            return channel.frame("canceled", id=id_)
        print_traceback(error)
        return channel.frame("failed", id=id_, error=describe(error))
    if cancelation.is_delivered:  # the model caught it and went on
        return channel.frame("canceled", id=id_)
    return result_frame(id_, output, files, channel)


def _send_items(id_: str, items: Any, channel: Channel) -> None:  # noqa: ANN401 - what a model returns
    """Send the items of the output as they are made."""
    for item in items:
        frame, has_files = item_frame(id_, item, channel)
        flush()
        channel.send_frame(frame)
        if has_files:  # the model may write the next item into the same file
            channel.wait_taken(id_)
