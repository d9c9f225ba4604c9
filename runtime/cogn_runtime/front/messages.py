"""What the worker can say, checked as it is read; `cogn_runtime.frames` lists the messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from cogn_runtime.parcels import check_length

__all__ = [
    "Canceled",
    "Failed",
    "Health",
    "Loaded",
    "Log",
    "Message",
    "Metric",
    "OutputFile",
    "Parcel",
    "Ready",
    "SetupFailed",
    "Succeeded",
    "Usage",
    "Yielded",
    "cancel_message",
    "decode",
    "healthcheck_message",
    "predict_message",
    "stop_message",
    "taken_message",
    "usage_message",
]


class _Message(msgspec.Struct, frozen=True, tag_field="kind", forbid_unknown_fields=True):
    pass


class Loaded(_Message, frozen=True, tag="loaded"):
    """The model's code is loaded and its signature known; `setup()` comes next."""

    signature: dict[str, Any]
    slots: Annotated[int, msgspec.Meta(ge=1)]
    has_healthcheck: bool


class Ready(_Message, frozen=True, tag="ready"):
    """`setup()` has returned."""


class SetupFailed(_Message, frozen=True, tag="setup_failed"):
    """The model cannot be loaded or set up; the worker ends."""

    error: str


class OutputFile(msgspec.Struct, frozen=True):
    """A file the model returned: the place in the output that stands for it, and its path."""

    at: list[str | int]
    path: str


class Health(_Message, frozen=True, tag="health"):
    """What the model's own health check says: what is wrong, or nothing."""

    error: str | None


class Usage(_Message, frozen=True, tag="usage"):
    """For each GPU that the model uses, its number and the bytes of its memory in use and free."""

    gpus: list[tuple[int, int, int]]


class Log(_Message, frozen=True, tag="log"):
    """What was printed in one of several predictions."""

    id: str
    text: str


class Metric(_Message, frozen=True, tag="metric"):
    """A metric that the model recorded; without a value when it is deleted."""

    id: str
    name: str
    value: Any
    mode: Literal["replace", "increment", "append", "delete"]


class Yielded(_Message, frozen=True, tag="yielded"):
    """The model has made one item of its output. With files, it waits until they were read."""

    id: str
    output: msgspec.Raw
    files: list[OutputFile]


class Succeeded(_Message, frozen=True, tag="succeeded"):
    """The model has answered; `output` is JSON as the worker wrote it, its keys sorted.

    When the output is made of items, these came before, and it is null.
    """

    id: str
    output: msgspec.Raw
    files: list[OutputFile]


class Failed(_Message, frozen=True, tag="failed"):
    """The model has raised an exception or returned what cannot be sent."""

    id: str
    error: str


class Canceled(_Message, frozen=True, tag="canceled"):
    """The prediction was ended because somebody asked for it."""

    id: str


class Parcel(_Message, frozen=True, tag="parcel"):
    """Another message, which is in a file."""

    name: str


_Told = Loaded | Ready | SetupFailed | Health | Usage | Parcel
_OfPrediction = Log | Metric | Yielded | Succeeded | Failed | Canceled
Message = _Told | _OfPrediction

_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_encoder = msgspec.json.Encoder()


def decode(payload: bytes) -> Message:
    """Return the message in a payload; raises msgspec.DecodeError for another."""
    return _decoder.decode(payload)


def predict_message(id_: str, input_: Mapping[str, Any], context: Mapping[str, str]) -> bytes:
    """Return the message that asks for a prediction; raises FrameError when it is too large."""
    message = {"kind": "predict", "id": id_, "input": input_, "context": context}
    return check_length(_encoder.encode(message))


def cancel_message(id_: str) -> bytes:
    """Return the message that asks for the end of a prediction."""
    return _encoder.encode({"kind": "cancel", "id": id_})


def healthcheck_message() -> bytes:
    """Return the message that asks whether the model is well."""
    return _encoder.encode({"kind": "healthcheck"})


def usage_message() -> bytes:
    """Return the message that asks how much memory of GPUs is in use."""
    return _encoder.encode({"kind": "usage"})


def taken_message(id_: str) -> bytes:
    """Return the message that says that the files of an item were read."""
    return _encoder.encode({"kind": "taken", "id": id_})


def stop_message() -> bytes:
    """Return the message that asks the worker to end."""
    return _encoder.encode({"kind": "stop"})
