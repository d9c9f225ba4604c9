"""The metrics of a prediction: a tree of values, by dotted names."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from cogn_runtime.front.messages import Metric

__all__ = ["Metrics"]

_MOST_BYTES = 4 * 1024 * 1024
"""What one prediction may record in all."""

_log = logging.getLogger("cogn.front")
_encoder = msgspec.json.Encoder()


class Metrics:
    """The metrics of one prediction."""

    def __init__(self) -> None:
        self.tree: dict[str, Any] = {}
        self._bytes = 0

    def record(self, metric: Metric) -> bool:
        """Do what the model asks for; return whether it was done: it may be too much.

        What stands in the way gives way: the later says what a name is.
        """
        before = self._bytes
        self._bytes += len(metric.name) + len(_encoder.encode(metric.value))
        if self._bytes > _MOST_BYTES:
            if before <= _MOST_BYTES:
                _log.warning("prediction %s records too many metrics; dropped some", metric.id)
            return False
        *way, last = metric.name.split(".")
        place = self.tree
        for step in way:
            inner = place.get(step)
            if not isinstance(inner, dict):
                place[step] = inner = {}
            place = inner
        _do(metric, place, last)
        return True


def _do(metric: Metric, place: dict[str, Any], name: str) -> None:
    before = place.get(name)
    match metric.mode:
        case "delete":
            place.pop(name, None)
        case "increment" if isinstance(before, int | float) and not isinstance(before, bool):
            place[name] = before + metric.value
        case "append" if isinstance(before, list):
            before.append(metric.value)
        case "append":
            place[name] = [before, metric.value] if name in place else [metric.value]
        case _:
            place[name] = metric.value
