"""The metrics of a prediction: a tree of values, by dotted names."""

from __future__ import annotations

from typing import Any

from cogn_runtime.front.messages import Metric

__all__ = ["record"]


def record(metrics: dict[str, Any], metric: Metric) -> None:
    """Do to `metrics` what the model asked for.

    What stands in the way gives way: the later says what a name is.
    """
    *way, last = metric.name.split(".")
    place = metrics
    for step in way:
        inner = place.get(step)
        if not isinstance(inner, dict):
            place[step] = inner = {}
        place = inner
    before = place.get(last)
    match metric.mode:
        case "delete":
            place.pop(last, None)
        case "increment" if isinstance(before, int | float) and not isinstance(before, bool):
            place[last] = before + metric.value
        case "append":
            place[last] = [*before, metric.value] if isinstance(before, list) else [metric.value]
        case _:
            place[last] = metric.value
