"""The life of a worker: load the model, set it up, make predictions one at a time."""

from __future__ import annotations

import contextlib
import faulthandler
import io
import os
import pathlib
import sys
import traceback
from typing import Any

from cogn_runtime.frames import FrameError
from cogn_runtime.schema import SignatureError
from cogn_runtime.worker.cancelation import Cancelation
from cogn_runtime.worker.channel import Channel, encode_message
from cogn_runtime.worker.inputs import python_inputs
from cogn_runtime.worker.loader import LoadError, Model, load
from cogn_runtime.worker.outputs import json_output

__all__ = ["main"]

_UNSENDABLE = (TypeError, ValueError, RecursionError, FrameError)
_NOT_THE_MODEL = (str(pathlib.Path(__file__).parent.parent), "<frozen importlib")


def main(fd: int, reference: str) -> None:
    """Serve the front at the other end of the socket `fd` until it says stop."""
    _prepare_process()
    cancelation = Cancelation()
    channel = Channel(fd, cancelation.request)
    # A model may call sys.exit() or interrupt itself anywhere: that fails what it was doing and
    # not the worker, hence BaseException here and below.
    try:
        model = load(reference)
        channel.send("loaded", signature=model.signature.to_json())
        model.setup()
    except (LoadError, SignatureError) as error:
        channel.send("setup_failed", error=str(error))
        return
    except BaseException as error:  # noqa: BLE001
        _print_traceback(error)
        _flush()
        channel.send("setup_failed", error=_describe(error))
        return
    _flush()
    channel.send("ready")
    for request in channel.requests():
        answer = _predict(model, request["id"], request["input"], channel, cancelation)
        _flush()
        channel.send_encoded(answer)


def _prepare_process() -> None:
    """Make this process look to the model like a plain `python` started in its directory."""
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - sys.path holds strings
    sys.argv[1:] = []
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    faulthandler.enable()


def _predict(
    model: Model, id_: str, given: dict[str, Any], channel: Channel, cancelation: Cancelation
) -> bytes:
    """Return the frame that answers one request."""
    try:
        with cancelation.running(id_), contextlib.ExitStack() as resources:
            arguments = python_inputs(model.signature, given, resources)
            output, files = _output(model, id_, model.run(**arguments), channel)
    except BaseException as error:  # noqa: BLE001
        if cancelation.is_delivered:
            return encode_message("canceled", id=id_)
        _print_traceback(error)
        return encode_message("failed", id=id_, error=_describe(error))
    if cancelation.is_delivered:  # the model caught it and went on
        return encode_message("canceled", id=id_)
    try:
        return encode_message("succeeded", id=id_, output=output, files=files)
    except _UNSENDABLE as error:
        return encode_message("failed", id=id_, error=f"cannot send the output: {error}")


def _output(
    model: Model,
    id_: str,
    result: Any,  # noqa: ANN401 - what the model returns
    channel: Channel,
) -> tuple[Any, list[dict[str, Any]]]:
    """Return the output and its files; items are sent as they are made, and leave nothing."""
    if model.signature.output_mode == "value":
        return json_output(result)
    for item in result:
        output, files = json_output(item)
        try:
            frame = encode_message("yielded", id=id_, output=output, files=files)
        except _UNSENDABLE as error:
            raise TypeError(f"cannot send an item of the output: {error}") from error
        _flush()
        channel.send_encoded(frame)
        if files:  # the model may write the next item into the same file
            channel.wait_taken(id_)
    return None, []


def _describe(error: BaseException) -> str:
    """Return type and message of an exception, as text that can be sent."""
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - the model's exceptions may be broken too
        return name
    shown = f"{name}: {text}" if text else name
    return shown.encode(errors="backslashreplace").decode()


def _print_traceback(error: BaseException) -> None:
    """Print `error` as Python would, from the model's own code on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_NOT_THE_MODEL):
        trace = trace.tb_next
    lines = traceback.format_exception(type(error), error, trace)
    _flush()
    with contextlib.suppress(OSError):  # written past sys.stderr, which may be closed or replaced
        os.write(2, "".join(lines).encode(errors="backslashreplace"))


def _flush() -> None:
    """Hand over what was printed; the model may have closed or replaced the streams."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
