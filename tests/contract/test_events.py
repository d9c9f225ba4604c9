"""Accept: text/event-stream: what comes of a prediction while it is made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.conftest import Server
from support.serving import Serve

MODEL = """
import pathlib, time
import cog

class Predictor:
    @cog.streaming
    def run(
        self, count: int = 2, until: str = "", fail: bool = False, metric: bool = False
    ) -> cog.ConcatenateIterator[str]:
        if metric:
            cog.current_scope().record_metric("steps", 1)
            cog.current_scope().record_metric("steps", 2, mode="increment")
        for number in range(count):
            yield f"item {number}"
        while until and not pathlib.Path(until).exists():
            time.sleep(0.01)
        if fail:
            raise ValueError("no more")
        print("end")
"""
EVENTS = {"accept": "text/event-stream"}
OUTPUTS = [
    ("output", {"chunk": "item 0", "index": 0}),
    ("output", {"chunk": "item 1", "index": 1}),
]

Event = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    return serve_module(MODEL)


@contextmanager
def events(
    server: Server, path: str = "/predictions", method: str = "POST", **input_: Any
) -> Iterator[Iterator[Event]]:
    """Ask for events; give them as they come."""
    with server.client.stream(method, path, json={"input": input_}, headers=EVENTS) as response:
        assert response.status_code == 200, response.read()
        yield _parsed(response)


def _parsed(response: httpx.Response) -> Iterator[Event]:
    name = ""
    for line in response.iter_lines():
        key, _, value = line.partition(":")
        if key == "event":
            name = value.strip()
        elif key == "data":
            yield name, json.loads(value)


def test_an_answer_of_events_has_their_type_and_is_not_kept(server: Server) -> None:
    with server.client.stream("POST", "/predictions", json={}, headers=EVENTS) as response:
        assert response.headers["content-type"] == "text/event-stream"
        assert response.headers["cache-control"] == "no-cache"
        response.read()


def test_first_it_says_which_prediction_it_is_and_last_all_that_came_of_it(server: Server) -> None:
    with events(server, "/predictions/known", "PUT") as stream:
        first, *_, (name, last) = stream
    assert first == ("start", {"id": "known", "status": "processing"})
    assert name == "completed"
    assert last.pop("metrics")["predict_time"] > 0
    assert last == {
        "id": "known",
        "logs": "end\n",
        "output": ["item 0", "item 1"],
        "status": "succeeded",
    }


def test_every_item_is_told_with_its_number(server: Server) -> None:
    with events(server) as stream:
        assert [event for event in stream if event[0] == "output"] == OUTPUTS


def test_items_are_told_while_the_model_goes_on(server: Server, tmp_path: Path) -> None:
    with events(server, until=str(tmp_path / "go")) as stream:
        next(stream)
        assert [next(stream) for _ in range(2)] == OUTPUTS
        (tmp_path / "go").touch()
        assert [name for name, _ in stream][-1] == "completed"


def test_what_is_printed_is_told(server: Server) -> None:
    with events(server) as stream:
        told = [data["data"] for name, data in stream if name == "log"]
    assert "".join(told).rstrip("\n") == "end"


def test_the_source_of_what_is_printed_is_the_output(server: Server) -> None:
    with events(server) as stream:
        assert {data["source"] for name, data in stream if name == "log"} == {"output"}


def test_metrics_are_told_with_their_mode(server: Server) -> None:
    with events(server, metric=True) as stream:
        told = [data for name, data in stream if name == "metric"]
    assert told == [
        {"mode": "replace", "name": "steps", "value": 1},
        {"mode": "increment", "name": "steps", "value": 2},
    ]


def test_one_that_fails_says_so_in_its_last_event_with_what_came_before_it(server: Server) -> None:
    with events(server, fail=True) as stream:
        *_, (name, last) = stream
    assert (name, last["status"]) == ("completed", "failed")
    assert last["error"].endswith("ValueError: no more")
    assert last["output"] == ["item 0", "item 1"]


def test_who_comes_late_is_told_all_that_was(server: Server, tmp_path: Path) -> None:
    with events(server, "/predictions/slow", "PUT", until=str(tmp_path / "go")) as stream:
        seen = [next(stream) for _ in range(3)]
        with events(server, "/predictions/slow", "PUT") as late:
            assert [next(late) for _ in range(3)] == seen
            (tmp_path / "go").touch()
            assert [name for name, _ in late][-1] == "completed"


@contextmanager
def joined_late(serve: Serve, until: Path) -> Iterator[Iterator[Event]]:
    """Come after ten items to a server that keeps two events."""
    server = serve(MODEL, environment={"COG_STREAM_HISTORY_CAPACITY": "2"})
    body = {"input": {"count": 10, "until": str(until)}}
    server.client.put("/predictions/x", json=body, headers={"prefer": "respond-async"})
    server.wait(
        lambda: len(server.client.put("/predictions/x", json={}).json().get("output", [])) == 10
    )
    with events(server, "/predictions/x", "PUT") as stream:
        yield stream


def test_who_comes_too_late_is_told_how_much_is_gone(serve: Serve, tmp_path: Path) -> None:
    with joined_late(serve, tmp_path / "go") as stream:
        name, lost = next(stream)
        assert name == "error"
        assert lost == {
            "error": "SSE stream replay truncated; events were dropped",
            "skipped": 9,
        }
        (tmp_path / "go").touch()


def test_who_comes_too_late_is_told_the_rest(serve: Serve, tmp_path: Path) -> None:
    with joined_late(serve, tmp_path / "go") as stream:
        next(stream)
        (tmp_path / "go").touch()
        assert [name for name, _ in stream if name != "log"] == ["output", "output", "completed"]


def test_it_is_canceled_when_nobody_reads_it_any_more(server: Server) -> None:
    with events(server, "/predictions/left", "PUT", until="/nowhere") as stream:
        next(stream)
        with events(server, "/predictions/left", "PUT") as other:
            next(other)
        assert server.health()["status"] == "BUSY"
    server.wait_for("READY")


def test_one_that_was_not_made_for_readers_goes_on_without_them(
    server: Server, tmp_path: Path
) -> None:
    body = {"id": "on", "input": {"until": str(tmp_path / "go")}}
    server.client.post("/predictions", json=body, headers={"prefer": "respond-async"})
    with events(server, "/predictions/on", "PUT") as stream:
        next(stream)
    assert server.client.put("/predictions/on", json={}).status_code == 202
    (tmp_path / "go").touch()
    server.wait_for("READY")


def test_events_go_before_the_wish_not_to_wait(server: Server) -> None:
    headers = EVENTS | {"prefer": "respond-async"}
    answer = server.client.post("/predictions", json={}, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream"


def test_a_refusal_is_no_stream(server: Server) -> None:
    body = {"input": {"count": "x"}}
    refused = server.client.post("/predictions", json=body, headers=EVENTS)
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == ["body", "input", "count"]


def test_a_model_that_is_not_marked_has_no_events(serve: Serve) -> None:
    server = serve(MODEL.replace("@cog.streaming", ""))
    refused = server.client.post("/predictions", json={}, headers=EVENTS)
    assert refused.status_code == 406
    assert refused.json() == {
        "error": "This model does not support streaming responses. "
        "Add @cog.streaming to predict() to enable SSE."
    }
