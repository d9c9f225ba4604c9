"""The line before the slots: `COGN_QUEUE_SIZE`."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.conftest import Serve, Server

MODEL = """
import os, pathlib, time

class Predictor:
    def run(self, until: str = "", what: str = "wait") -> str:
        if what == "die":
            os._exit(3)
        while until and not pathlib.Path(until).exists():
            time.sleep(0.01)
        with open("order", "a") as file:
            file.write(what)
        return "done"
"""


def queue(server: Server, id_: str, **input_: Any) -> httpx.Response:
    """Order a prediction that nobody waits for."""
    headers = {"prefer": "respond-async"}
    return server.client.put(f"/predictions/{id_}", json={"input": input_}, headers=headers)


def place(response: httpx.Response) -> str | None:
    header: str | None = response.headers.get("cogn-queue-position")
    return header


def test_those_who_find_the_slot_taken_wait_in_line(serve: Serve, tmp_path: Path) -> None:
    server = serve(MODEL, environment={"COGN_QUEUE_SIZE": "2"})
    go = str(tmp_path / "go")
    first = queue(server, "first", until=go, what="1")
    assert (first.status_code, place(first)) == (202, None)
    server.wait_for("BUSY")
    second = queue(server, "second", what="2")
    assert (second.status_code, place(second)) == (202, "1")
    with ThreadPoolExecutor() as pool:
        third: Future[dict[str, Any]] = pool.submit(server.predict, what="3")
        server.wait(lambda: queue(server, "fourth").status_code == 409)
        known = server.client.put("/predictions/second", json={})
        assert (known.json()["status"], place(known)) == ("starting", "1")
        Path(go).touch()
        assert third.result()["output"] == "done"
    assert (tmp_path / "model0" / "order").read_text() == "123"


def test_when_the_line_is_full_the_answer_says_when_to_come_back(
    serve: Serve, tmp_path: Path
) -> None:
    server = serve(MODEL)  # no line at all, as with Cog
    go = str(tmp_path / "go")
    queue(server, "first", until=go)
    server.wait_for("BUSY")
    refused = queue(server, "second")
    assert refused.status_code == 409
    assert refused.json()["error"] == "At capacity - all prediction slots busy"
    assert int(refused.headers["retry-after"]) >= 1
    Path(go).touch()
    server.wait_for("READY")


def test_who_waits_in_line_can_be_canceled_and_others_move_up(serve: Serve, tmp_path: Path) -> None:
    server = serve(MODEL, environment={"COGN_QUEUE_SIZE": "5"})
    go = str(tmp_path / "go")
    for id_ in ("first", "second", "third"):
        queue(server, id_, until=go, what=id_[0])
    assert place(server.client.put("/predictions/third", json={})) == "2"
    assert server.client.post("/predictions/second/cancel").status_code == 200
    server.wait(lambda: place(server.client.put("/predictions/third", json={})) == "1")
    assert server.client.post("/predictions/second/cancel").status_code == 404
    Path(go).touch()
    server.wait_for("READY")
    assert (tmp_path / "model0" / "order").read_text() == "ft"


def test_who_goes_away_while_waiting_leaves_the_line(serve: Serve, tmp_path: Path) -> None:
    server = serve(MODEL, environment={"COGN_QUEUE_SIZE": "5"})
    go = str(tmp_path / "go")
    queue(server, "first", until=go)
    with pytest.raises(httpx.TimeoutException):
        server.client.post("/predictions", json={"input": {}, "id": "gone"}, timeout=0.3)
    server.wait(lambda: "canceling prediction gone: its client is gone" in server.log())
    last = queue(server, "last")
    assert place(last) == "1"
    Path(go).touch()


def test_who_waits_in_line_gets_the_next_worker_when_one_dies(serve: Serve, tmp_path: Path) -> None:
    server = serve(MODEL, environment={"COGN_QUEUE_SIZE": "5"})
    go = str(tmp_path / "go")
    queue(server, "first", until=go)
    with ThreadPoolExecutor() as pool:
        dying = pool.submit(server.predict, what="die")
        server.wait(lambda: "cogn_queue_length 1.0" in server.client.get("/metrics").text)
        last = pool.submit(server.predict, what="last")
        server.wait(lambda: "cogn_queue_length 2.0" in server.client.get("/metrics").text)
        Path(go).touch()
        assert "Worker crashed: it exited with code 3" in dying.result()["error"]
        assert last.result()["output"] == "done"
