"""What the server measures of itself, as Prometheus reads it.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from cogn_runtime.front.supervisor import Supervisor

__all__ = ["CONTENT_TYPE", "GpuMemory", "Measurements", "exposition"]

GpuMemory = tuple[int, int, int]
"""The number of a GPU, the bytes of its memory in use, and those that are free."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BOUNDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
"""Seconds: models take anything from milliseconds to an hour."""


class Measurements:
    """Counts what happens; reading it in Prometheus's form is left to `exposition`."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, int]] = Counter()
        """By route, method and status."""
        self.predictions: Counter[str] = Counter()
        """By how they ended."""
        self.seconds = 0.0
        """What the model took for all of them."""
        self.durations = [0] * (len(_BOUNDS) + 1)
        """How many took no longer than each bound and longer than the one before."""

    def answered(self, route: str, method: str, status: int) -> None:
        """Count a request."""
        self.requests[route, method, status] += 1

    def predicted(self, status: str, seconds: float) -> None:
        """Count a prediction."""
        self.predictions[status] += 1
        if seconds:  # the model had it
            self.seconds += seconds
            self.durations[bisect.bisect_left(_BOUNDS, seconds)] += 1


def exposition(
    measurements: Measurements, supervisor: Supervisor, gpus: Sequence[GpuMemory]
) -> bytes:
    """Return all measurements as text, with the state of the supervisor now.

    `gpus` has those that the model uses.
    """
    from prometheus_client.exposition import generate_latest  # late: who asks pays for it

    return generate_latest(_Collector(measurements, supervisor, gpus))


class _Collector:
    def __init__(
        self,
        measurements: Measurements,
        supervisor: Supervisor,
        gpus: Sequence[GpuMemory],
    ) -> None:
        self._measurements = measurements
        self._supervisor = supervisor
        self._gpus = gpus

    def collect(self) -> Iterable[Metric]:
        """Yield each metric, as `prometheus_client` asks for."""
        yield from self._of_requests()
        yield from self._of_the_model()

    def _of_requests(self) -> Iterable[Metric]:
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        measured = self._measurements
        requests = CounterMetricFamily(
            "cogn_requests", "Requests answered", labels=["route", "method", "status"]
        )
        for (route, method, status), count in sorted(measured.requests.items()):
            requests.add_metric([route, method, str(status)], count)
        yield requests
        predictions = CounterMetricFamily(
            "cogn_predictions", "Predictions and trainings that ended", labels=["status"]
        )
        for ending, count in sorted(measured.predictions.items()):
            predictions.add_metric([ending], count)
        yield predictions
        buckets: list[tuple[str, float]] = []
        total = 0
        for bound, count in zip((*map(str, _BOUNDS), "+Inf"), measured.durations, strict=True):
            total += count
            buckets.append((bound, total))
        yield HistogramMetricFamily(
            "cogn_prediction_seconds",
            "Time the model took for predictions and trainings",
            buckets=buckets,
            sum_value=measured.seconds,
        )

    def _of_the_model(self) -> Iterable[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        supervisor = self._supervisor
        slots = supervisor.slots
        ready = supervisor.status in ("READY", "BUSY")
        for name, text, value in (
            ("cogn_ready", "Whether the model takes predictions", float(ready)),
            ("cogn_slots", "Predictions that the model makes at once", slots.count),
            ("cogn_slots_busy", "Slots in use", len(slots.jobs)),
            ("cogn_queue_length", "Predictions that wait for a slot", slots.waiting),
        ):
            yield GaugeMetricFamily(name, text, value=value)
        if supervisor.setup.seconds is not None:
            yield GaugeMetricFamily(
                "cogn_setup_seconds", "Time of the last setup", value=supervisor.setup.seconds
            )
        yield CounterMetricFamily(
            "cogn_worker_restarts",
            "Workers that replaced one that had died",
            value=supervisor.restarts.total,
        )
        if self._gpus:
            memory = GaugeMetricFamily(
                "cogn_gpu_memory_bytes", "Memory of the GPUs in use", labels=["device", "state"]
            )
            for device, used, free in self._gpus:
                memory.add_metric([str(device), "used"], used)
                memory.add_metric([str(device), "free"], free)
            yield memory
