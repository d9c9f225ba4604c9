"""Server-sent events: what comes of a prediction as it is made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.conftest import Serve, Server

MODEL = """
import pathlib, time
import cog

Text = cog.ConcatenateIterator[str]

class Predictor:
    @cog.streaming
    def run(self, count: int = 3, until: str = "", fail: bool = False) -> Text:
        print("begin")
        for number in range(count):
            yield f"item {number} "
        while until and not pathlib.Path(until).exists():
            time.sleep(0.01)
        if fail:
            raise ValueError("no more")
"""
EVENTS = {"accept": "text/event-stream"}

Event = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    return serve_module(MODEL)


@contextmanager
def events(
    server: Server, path: str = "/predictions", method: str = "POST", **input_: Any
) -> Iterator[Iterator[Event]]:
    """Ask for events; give them as they come."""
    body = {"input": input_}
    with server.client.stream(method, path, json=body, headers=EVENTS) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"] == "text/event-stream"
        assert response.headers["cache-control"] == "no-cache"
        yield parsed(response)


def parsed(response: httpx.Response) -> Iterator[Event]:
    name = ""
    for line in response.iter_lines():
        key, _, value = line.partition(": ")
        if key == "event":
            name = value
        elif key == "data":
            yield name, json.loads(value)


def test_the_events_of_a_prediction_come_in_cogs_form(server: Server) -> None:
    with events(server, "/predictions/known", "PUT") as stream:
        told = list(stream)
    completed = told.pop()
    assert told == [
        ("start", {"id": "known", "status": "processing"}),
        ("log", {"data": "begin\n", "source": "output"}),
        ("output", {"chunk": "item 0 ", "index": 0}),
        ("output", {"chunk": "item 1 ", "index": 1}),
        ("output", {"chunk": "item 2 ", "index": 2}),
    ]
    assert completed[0] == "completed"
    assert completed[1].pop("metrics")["predict_time"] > 0
    assert completed[1] == {
        "id": "known",
        "logs": "begin\n",
        "output": ["item 0 ", "item 1 ", "item 2 "],
        "status": "succeeded",
    }


def test_items_come_while_the_model_goes_on_and_who_is_late_gets_them_too(
    server: Server, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    with events(server, "/predictions/slow", "PUT", until=str(go)) as stream:
        seen = [next(stream) for _ in range(5)]
        assert seen[-1] == ("output", {"chunk": "item 2 ", "index": 2})
        known = server.client.put("/predictions/slow", json={}).json()
        assert known["output"] == ["item 0 ", "item 1 ", "item 2 "]
        with events(server, "/predictions/slow", "PUT") as late:
            assert [next(late) for _ in range(5)] == seen
            go.touch()
            assert [name for name, _ in late] == ["completed"]
        assert [name for name, _ in stream] == ["completed"]


def test_a_failed_stream_says_why_in_its_last_event(server: Server) -> None:
    with events(server, fail=True) as stream:
        *_, (name, last) = stream
    assert (name, last["status"], last["error"]) == ("completed", "failed", "ValueError: no more")
    assert last["output"] == ["item 0 ", "item 1 ", "item 2 "]


def test_a_prediction_made_for_readers_ends_with_the_last_of_them(server: Server) -> None:
    with events(server, "/predictions/left", "PUT", until="/nowhere") as stream:
        next(stream)
        with events(server, "/predictions/left", "PUT") as other:
            next(other)
        assert server.health()["status"] == "BUSY"
    server.wait_for("READY")


def test_who_reads_late_is_told_what_is_gone(serve: Serve, tmp_path: Path) -> None:
    server = serve(MODEL, environment={"COG_STREAM_HISTORY_CAPACITY": "2"})
    body = {"input": {"count": 10, "until": str(tmp_path / "go")}}
    server.client.put("/predictions/x", json=body, headers={"prefer": "respond-async"})
    server.wait(
        lambda: len(server.client.put("/predictions/x", json={}).json().get("output", [])) == 10
    )
    with events(server, "/predictions/x", "PUT") as late:
        name, lost = next(late)
        assert (name, lost["skipped"]) == ("error", 10)
        assert lost["error"] == "SSE stream replay truncated; events were dropped"
        assert next(late)[1]["index"] == 8
        (tmp_path / "go").touch()
        assert [name for name, _ in late] == ["output", "completed"]


def test_a_refusal_is_json_and_no_stream(server: Server) -> None:
    refused = server.client.post("/predictions", json={"input": {"count": "x"}}, headers=EVENTS)
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"][-1] == "count"


def test_a_model_without_the_mark_does_not_stream(serve: Serve) -> None:
    server = serve(MODEL.replace("@cog.streaming", ""))
    refused = server.client.post("/predictions", json={}, headers=EVENTS)
    assert refused.status_code == 406
    assert refused.json() == {
        "error": "This model does not support streaming responses. "
        "Add @cog.streaming to predict() to enable SSE."
    }


def test_files_among_the_items_are_what_they_were_when_they_were_yielded(serve: Serve) -> None:
    server = serve("""
        from collections.abc import Iterator
        import cog
        class Predictor:
            def run(self) -> Iterator[cog.Path]:
                path = cog.Path("same.txt")
                for number in range(3):
                    path.write_text(str(number))
                    yield path
    """)
    urls = server.predict()["output"]
    assert urls == [f"data:text/plain;base64,{code}" for code in ("MA==", "MQ==", "Mg==")]
