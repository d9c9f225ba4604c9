"""Workers that die and clients that go: every request is answered once, and nothing is left."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.conftest import Serve, Server
from support.processes import descendants, descriptors
from support.receivers import Receiver

MODEL = """
import os, signal, subprocess
from cog import BasePredictor, Path

class Predictor(BasePredictor):
    def predict(self, number: int, how: str = "", file: Path | None = None) -> int:
        print("made", number)
        match how:
            case "exit":
                os._exit(3)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "child":
                subprocess.Popen(["sleep", "600"])
            case "pid":
                return os.getpid()
        return number
"""
IN_LINE = {"COGN_QUEUE_SIZE": "8"}


def stays(server: Server, directory: Path) -> tuple[list[str], list[str]]:
    """Return what the server's descriptors are, and its files, when it has but its worker."""
    server.client.close()
    server.client = httpx.Client(base_url=server.client.base_url, timeout=30)
    server.wait_for("READY")
    server.wait(lambda: len(descendants(server.process.pid)) == 1)
    return descriptors(server.process.pid), left_in(directory)


def left_in(directory: Path) -> list[str]:
    """Return what the server has in its temporary directory; names without their random part."""
    tops = [path for path in directory.iterdir() if path.name.startswith(("cogn-", "tmp"))]
    inside = [path.name for top in tops for path in top.rglob("*")]
    return sorted([top.name.rpartition("-")[0] for top in tops] + inside)


def answers(server: Server, order: dict[str, Any], receiver: Receiver) -> str:
    """Ask for one prediction in one way or another until it is taken; return its status."""
    number = order["number"]
    body = {"id": f"n{number}", "input": {**order, "file": "data:text/plain,content"}}
    headers = {}
    if number % 2:
        body |= {"webhook": receiver.url, "webhook_events_filter": ["completed"]}
        headers["prefer"] = "respond-async"
    while True:
        answer = server.client.post("/predictions", json=body, headers=headers)
        assert answer.json().get("id", body["id"]) == body["id"]
        if answer.status_code == 202:
            return "accepted"
        if answer.status_code == 200:
            made = answer.json()
            if made["status"] == "succeeded":
                assert (made["output"], made["logs"]) == (number, f"made {number}\n")
            else:
                assert made["error"].startswith("Worker crashed: ")
            status: str = made["status"]
            return status
        assert answer.status_code in (409, 503), answer.text
        time.sleep(0.02)


@pytest.mark.parametrize(
    "count",
    [300, pytest.param(10_000, marks=[pytest.mark.large, pytest.mark.timeout(3600)])],
)
def test_every_prediction_is_answered_once_though_one_in_a_hundred_kills_its_worker(
    serve: Serve, tmp_path: Path, count: int
) -> None:
    server = serve(MODEL, environment=IN_LINE)
    before = stays(server, tmp_path)
    chance = random.Random(count)
    hows = ["exit", "kill", "child"]
    orders = [
        {"number": number, "how": chance.choice(hows) if chance.random() < 0.01 else ""}
        for number in range(count)
    ]
    with Receiver() as receiver:
        with ThreadPoolExecutor(6) as pool:
            statuses = Counter(
                pool.map(lambda order: answers(server, order, receiver), orders, timeout=3600)
            )
        assert statuses["accepted"] == count // 2
        assert statuses["succeeded"] + statuses["failed"] == count // 2
        server.wait(lambda: len(receiver.requests) >= count // 2, 60)
        time.sleep(0.5)
        told = Counter(each["id"] for each in receiver.told)
    assert sorted(told) == sorted(f"n{order['number']}" for order in orders[1::2])
    assert set(told.values()) == {1}
    server.wait_for("READY")
    server.predict(number=0, how="exit")  # and with the worker what models have left running
    assert stays(server, tmp_path) == before
    server.process.terminate()
    assert server.process.wait(20) == 0
    assert left_in(tmp_path) == []


def test_clients_that_go_away_leave_nothing(serve: Serve, tmp_path: Path) -> None:
    server = serve(MODEL.replace("return number", "import time; time.sleep(0.05); return number"))
    before = stays(server, tmp_path)

    def go_away(number: int) -> None:
        with suppress(httpx.HTTPError), httpx.Client(base_url=server.client.base_url) as client:
            body = {"input": {"number": number, "file": "data:text/plain,content"}}
            client.post("/predictions", json=body, timeout=0.01 + number % 5 / 100)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(go_away, range(120)))
    assert stays(server, tmp_path) == before
    assert server.predict(number=1)["output"] == 1


def test_a_worker_that_is_stopped_does_not_make_the_rest_slow(serve: Serve) -> None:
    server = serve(MODEL)
    worker = server.predict(number=0, how="pid")["output"]
    os.kill(worker, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(server.predict, number=1)
            server.wait_for("BUSY")
            for path in ("/health-check", "/livez", "/readyz", "/metrics", "/openapi.json"):
                begin = time.monotonic()
                assert server.client.get(path).status_code == 200
                assert time.monotonic() - begin < 1, path
            os.kill(worker, signal.SIGCONT)
            assert waiting.result()["output"] == 1
    finally:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGCONT)


LONG = """
import asyncio, time

class Predictor:
    async def run(self) -> str:
        await asyncio.sleep(600)
        return ""

def ordinary() -> str:
    time.sleep(600)
    return ""
"""


@pytest.mark.parametrize("name", ["Predictor", "ordinary"])
def test_a_prediction_is_canceled_however_early(serve: Serve, name: str) -> None:
    server = serve(LONG, reference=f"predict.py:{name}")
    for number in range(50):
        body, headers = {"id": f"{number}"}, {"prefer": "respond-async"}
        assert server.client.post("/predictions", json=body, headers=headers).status_code == 202
        assert server.client.post(f"/predictions/{number}/cancel").status_code == 200
        server.wait_for("READY")


STREAM = """
from collections.abc import Iterator
import cog

class Predictor:
    @cog.streaming
    def run(self, count: int) -> Iterator[str]:
        for number in range(count):
            yield "x" * 100_000
"""


def memory_of(server: Server) -> Callable[[], int]:
    """Return what tells the peak memory of the server's first process in MB."""
    status = Path(f"/proc/{server.process.pid}/status")

    def peak() -> int:
        lines = status.read_text("utf-8").splitlines()
        return next(int(line.split()[1]) // 1000 for line in lines if line.startswith("VmHWM"))

    return peak


def test_a_client_that_does_not_read_holds_up_neither_the_model_nor_the_server(
    serve: Serve,
) -> None:
    server = serve(STREAM, environment={"COG_STREAM_HISTORY_CAPACITY": "16"})
    peak = memory_of(server)
    before = peak()
    headers = {"accept": "text/event-stream"}
    body = {"input": {"count": 500}}
    with server.client.stream("PUT", "/predictions/x", json=body, headers=headers) as slow:
        # 50 MB of events are made, and nobody takes them from the socket.
        server.wait(lambda: server.health()["status"] == "READY")
        assert slow.status_code == 200
        assert server.client.post("/predictions", json={"input": {"count": 1}}).status_code == 200
        text = b"".join(slow.iter_bytes())
    assert b"event: error" in text
    assert text.rpartition(b"event: ")[2].startswith(b"completed")
    # The output itself is kept, the events are not.
    assert peak() - before < 50 * 6
