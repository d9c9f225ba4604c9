"""Webhooks: who asked for a prediction is told of it somewhere else."""

from __future__ import annotations

import time
from typing import Any

import pytest

from runtime.conftest import Server
from support.receivers import Receiver
from support.serving import Serve

MODEL = """
import time
from cog import BasePredictor, ConcatenateIterator

class Predictor(BasePredictor):
    def predict(
        self, pause: float = 0.0, count: int = 2, is_failing: bool = False
    ) -> ConcatenateIterator[str]:
        for number in range(count):
            print("made", number)
            yield str(number)
            end = time.monotonic() + pause
            while time.monotonic() < end:
                time.sleep(0.01)
        if is_failing:
            raise ValueError("no more")
"""


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    environment = {"WEBHOOK_AUTH_TOKEN": "t0ken", "COG_THROTTLE_RESPONSE_INTERVAL": "0.2"}
    return serve_module(MODEL, environment=environment)


def ordered(
    server: Server, receiver: Receiver, *events: str, is_waiting: bool = False, **input_: Any
) -> list[dict[str, Any]]:
    """Ask for a prediction that tells of these events; return what was told when it is over."""
    body = {"id": "hooked", "input": input_, "webhook": f"{receiver.url}/hook?a=b"}
    headers = {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01", "tracestate": "a=b"}
    if not is_waiting:
        headers["prefer"] = "respond-async"
    if events:
        body["webhook_events_filter"] = events
    answer = server.client.post("/predictions", json=body, headers=headers)
    assert answer.status_code == (200 if is_waiting else 202)
    server.wait_for("READY")
    if not events or "completed" in events:
        server.wait(lambda: any(told["status"] in _OVER for told in receiver.told))
    time.sleep(0.3)
    return receiver.told


_OVER = {"succeeded", "failed", "canceled"}


def test_the_end_is_told_with_all_that_came_of_it_but_the_input(
    server: Server, receiver: Receiver
) -> None:
    (told,) = ordered(server, receiver, "completed")
    assert told.pop("metrics")["predict_time"] >= 0
    assert told == {
        "id": "hooked",
        "logs": "made 0\nmade 1\n",
        "output": ["0", "1"],
        "status": "succeeded",
    }


def test_it_is_a_post_of_json_to_the_whole_address(server: Server, receiver: Receiver) -> None:
    ordered(server, receiver, "completed")
    (request,) = receiver.requests
    assert (request.method, request.path) == ("POST", "/hook?a=b")
    assert request.headers["content-type"] == "application/json"


def test_it_has_the_token_of_the_environment_and_the_trace_of_the_request(
    server: Server, receiver: Receiver
) -> None:
    ordered(server, receiver, "completed")
    (request,) = receiver.requests
    assert request.headers["authorization"] == "Bearer t0ken"
    assert request.headers["traceparent"].startswith(f"00-{'1' * 32}-")
    assert request.headers["tracestate"] == "a=b"
    assert "/" in request.headers["user-agent"]


def test_who_waits_for_the_answer_is_told_too(server: Server, receiver: Receiver) -> None:
    (told,) = ordered(server, receiver, "completed", is_waiting=True)
    assert told["status"] == "succeeded"


def test_a_failure_is_told_with_what_came_before_it(server: Server, receiver: Receiver) -> None:
    (told,) = ordered(server, receiver, "completed", is_failing=True)
    assert told["error"].endswith("ValueError: no more")
    assert (told["status"], told["logs"][:7]) == ("failed", "made 0\n")
    assert told["output"] == ["0", "1"]


def test_a_cancelation_is_told_with_what_came_before_it(server: Server, receiver: Receiver) -> None:
    body = {
        "id": "hooked",
        "input": {"pause": 60},
        "webhook": receiver.url,
        "webhook_events_filter": ["output", "completed"],
    }
    headers = {"prefer": "respond-async"}
    assert server.client.post("/predictions", json=body, headers=headers).status_code == 202
    server.wait(lambda: bool(receiver.told))
    server.client.post("/predictions/hooked/cancel")
    server.wait(lambda: len(receiver.told) == 2)
    told = receiver.told[1]
    assert told.pop("metrics")["predict_time"] > 0
    assert told == {
        "id": "hooked",
        "logs": "made 0\n",
        "output": ["0"],
        "status": "canceled",
    }


def test_the_start_is_told(server: Server, receiver: Receiver) -> None:
    (told,) = ordered(server, receiver, "start")
    assert (told["id"], told["status"]) == ("hooked", "processing")


def test_outputs_are_told_as_they_come(server: Server, receiver: Receiver) -> None:
    told = ordered(server, receiver, "output", pause=0.15, count=3)
    assert [each["output"] for each in told] == [["0"], ["0", "1"], ["0", "1", "2"]]
    assert {each["status"] for each in told} == {"processing"}


def test_logs_are_told_now_and_then(server: Server, receiver: Receiver) -> None:
    told = ordered(server, receiver, "logs", pause=0.02, count=40)
    assert 2 <= len(told) <= 6
    assert {each["status"] for each in told} == {"processing"}
    assert told[-1]["logs"].startswith("made 0\n")


def test_without_a_filter_all_is_told_and_the_end_last(server: Server, receiver: Receiver) -> None:
    told = ordered(server, receiver, pause=0.15)
    assert (told[0]["status"], told[-1]["status"]) == ("processing", "succeeded")
    assert ["0"] in [each.get("output") for each in told]


def test_with_an_empty_filter_nothing_is_told(server: Server, receiver: Receiver) -> None:
    body = {"webhook": receiver.url, "webhook_events_filter": []}
    assert server.client.post("/predictions", json=body).status_code == 200
    time.sleep(0.3)
    assert receiver.told == []


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_the_end_is_told_again_where_that_may_help(
    server: Server, receiver: Receiver, status: int
) -> None:
    receiver.statuses += [status, status]
    ordered(server, receiver, "completed")
    server.wait(lambda: len(receiver.told) == 3)
    assert [told["status"] for told in receiver.told] == ["succeeded"] * 3


@pytest.mark.parametrize("status", [400, 404])
def test_the_end_is_not_told_again_where_it_is_refused(
    server: Server, receiver: Receiver, status: int
) -> None:
    receiver.statuses.append(status)
    assert len(ordered(server, receiver, "completed")) == 1


def test_what_else_is_told_is_told_once(server: Server, receiver: Receiver) -> None:
    receiver.statuses.append(503)
    assert len(ordered(server, receiver, "start")) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "file:///etc/passwd", "http://[", "x"])
def test_an_address_that_nobody_can_be_told_at_does_no_harm(server: Server, url: str) -> None:
    body = {"webhook": url, "webhook_events_filter": ["start"]}
    assert server.client.post("/predictions", json=body).json()["status"] == "succeeded"
