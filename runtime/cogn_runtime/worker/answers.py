"""The messages that say what became of a prediction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cog.scope import Scope
from cogn_runtime.frames import FrameError
from cogn_runtime.worker.channel import Channel
from cogn_runtime.worker.outputs import json_output

__all__ = ["item_frame", "result_frame", "scope_of"]

_UNSENDABLE = (TypeError, ValueError, RecursionError, FrameError, OSError)


def result_frame(id_: str, output: object, files: list[dict[str, Any]], channel: Channel) -> bytes:
    """Return the frame of a finished prediction, or of its failure when JSON cannot say it."""
    try:
        return channel.frame("succeeded", id=id_, output=output, files=files)
    except _UNSENDABLE as error:
        return channel.frame("failed", id=id_, error=f"cannot send the output: {error}")


def item_frame(id_: str, item: object, channel: Channel) -> tuple[bytes, bool]:
    """Return the frame of one item of the output, and whether there are files in it.

    Raises TypeError for what cannot be sent.
    """
    output, files = json_output(item)
    try:
        return channel.frame("yielded", id=id_, output=output, files=files), bool(files)
    except _UNSENDABLE as error:
        raise TypeError(f"cannot send an item of the output: {error}") from error


def scope_of(id_: str, context: Mapping[str, str], channel: Channel) -> Scope:
    """Return the scope of a prediction, which sends its metrics as they are recorded."""

    def send(name: str, value: object, mode: str) -> None:
        channel.send("metric", id=id_, name=name, value=value, mode=mode)

    return Scope(context, send)
