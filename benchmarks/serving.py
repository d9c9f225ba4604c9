"""Measures our server beside Cog's own and LitServe, on loopback.

For a trivial model, 1 MB of JSON, a 5 MB image as a data URL, an asynchronous model with 16 slots
and a stream of 1,000 chunks: successful predictions a second with 1, 8 and 64 connections, the
latencies of these, the time from the start to a model that is ready, and memory after the load.
Refusals are counted apart: Cog's server and ours take no more than they have slots, and a refused
connection asks again at once. With `COGN_QUEUE_SIZE` ours lets clients wait in line, as LitServe
always does. Run it with the interpreter of `.venv` on a machine that does nothing else; it needs
network for the first run.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import platform
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))  # for `benchmarks`
sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "tests"))  # for `support`

from benchmarks.serving_client import Load, Request, measure, wrk
from benchmarks.serving_peers import OURS, Kind, Running, kinds, start

_CONNECTIONS = (1, 8, 64)
_EVENTS = "text/event-stream"
_WARM_UP = 0.5


@dataclass(frozen=True, slots=True)
class Workload:
    """One model and what it is asked for."""

    model: str
    what: str
    input: Callable[[], object]
    accept: str = "*/*"


def _items() -> object:
    return {"data": {"items": [f"item {number:06d} of many" for number in range(40_000)]}}


def _image() -> object:
    content = random.Random(1).randbytes(5 * 1000 * 1000)
    return {"image": "data:image/png;base64," + base64.b64encode(content).decode()}


WORKLOADS = (
    Workload("Hello", "trivial", lambda: {"text": "world"}),
    Workload("Json", "1 MB of JSON", _items),
    Workload("Image", "5 MB image", _image),
    Workload("Async", "16 slots of 10 ms", lambda: {"text": "world"}),
    Workload("Stream", "1,000 chunks", lambda: {"count": 1000}, _EVENTS),
)


@dataclass(frozen=True, slots=True)
class Row:
    """What one server did with one workload over a number of connections."""

    kind: Kind
    workload: Workload
    connections: int
    load: Load
    wrk: float | None
    running: Running
    memory: float


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, help="a directory to keep for the next run")
    parser.add_argument("--skip-peers", action="store_true", help="measure cogn alone")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument(
        "--only", action="append", choices=[each.model.lower() for each in WORKLOADS]
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cogn-bench-") as temporary:
        work = (arguments.work or Path(temporary)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        servers = kinds(work, peers=not arguments.skip_peers)
        processor = platform.processor() or platform.machine()
        print(f"{arguments.seconds:g} s each, {processor}, {os.cpu_count()} cores")
        print(_line(_HEAD))
        for workload in WORKLOADS:
            if not arguments.only or workload.model.lower() in arguments.only:
                rows = [row for kind in servers for row in _rows(kind, workload, work, arguments)]
                _print_rows(rows)


def _rows(
    kind: Kind, workload: Workload, work: Path, arguments: argparse.Namespace
) -> Iterator[Row]:
    body = json.dumps({"input": workload.input()}).encode()
    sign = b'"status":"succeeded"'

    request = Request(kind.path, body, sign, workload.accept)
    running = start(kind, workload.model, work)
    try:
        measure(running.port, request, connections=1, seconds=_WARM_UP)
        for connections in _CONNECTIONS:
            seconds = arguments.seconds
            load = measure(running.port, request, connections=connections, seconds=seconds)
            counted = None
            if workload.model == "Hello":
                counted = wrk(
                    running.port, request, connections=connections, seconds=seconds, work=work
                )
            yield Row(kind, workload, connections, load, counted, running, running.memory())
    finally:
        running.stop()


_HEAD = (
    *("workload", "server", "connections", "ok/s", "ratio", "in line", "p50 ms", "p99 ms"),
    *("refused", "failed", "wrk ok/s", "ready s", "MB"),
)
_WIDTHS = (18, 18, 11, 8, 7, 8, 10, 10, 9, 7, 10, 8, 6)


def _line(cells: tuple[str, ...]) -> str:
    first, second, *rest = zip(cells, _WIDTHS, strict=True)
    left = "".join(f"{cell:{width}}" for cell, width in (first, second))
    return left + "".join(f"{cell:>{width}}" for cell, width in rest)


def _print_rows(rows: list[Row]) -> None:
    """Print what was measured; a ratio of 2 means that ours makes twice as many a second."""
    rates = {(row.kind.name, row.connections): row.load.rate for row in rows}
    for row in sorted(rows, key=lambda row: row.connections):
        rate = row.load.rate
        ratios = [
            f"{rates[name, row.connections] / rate:.2f}"
            if rate and row.kind.name not in OURS
            else ""
            for name in OURS
        ]
        cells = (
            row.workload.what,
            row.kind.name,
            str(row.connections),
            f"{rate:.0f}" if rate >= 100 else f"{rate:.1f}",
            *ratios,
            f"{row.load.percentile(0.5) * 1000:.2f}",
            f"{row.load.percentile(0.99) * 1000:.2f}",
            str(row.load.refused),
            str(row.load.failed),
            "" if row.wrk is None else f"{row.wrk:.0f}",
            f"{row.running.start:.2f}",
            f"{row.memory:.0f}",
        )
        print(_line(cells), flush=True)


if __name__ == "__main__":
    main()
