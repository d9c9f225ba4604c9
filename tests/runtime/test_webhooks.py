"""Webhooks: what a prediction's client is told, when, and how often."""

from __future__ import annotations

import time
from typing import Any

import pytest

from runtime.conftest import Serve, Server
from runtime.receiver import Receiver

MODEL = """
import time
from collections.abc import Iterator

class Predictor:
    def run(self, pause: float = 0.0, count: int = 2) -> Iterator[str]:
        for number in range(count):
            print("made", number)
            yield str(number)
            time.sleep(pause)
"""


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    environment = {"WEBHOOK_AUTH_TOKEN": "t0ken", "COG_THROTTLE_RESPONSE_INTERVAL": "0.2"}
    return serve_module(MODEL, environment=environment)


def order(server: Server, receiver: Receiver, *events: str, **input_: Any) -> None:
    """Make a prediction that tells the receiver, and wait until it was told of the end."""
    body: dict[str, Any] = {"id": "hooked", "input": input_, "webhook": receiver.url}
    if events:
        body["webhook_events_filter"] = events
    headers = {"traceparent": "00-1-2-01", "tracestate": "a=b", "prefer": "respond-async"}
    assert server.client.post("/predictions", json=body, headers=headers).status_code == 202
    if not events or "completed" in events:
        server.wait(lambda: "succeeded" in receiver.statuses)
    else:
        server.wait_for("READY")
        time.sleep(0.2)


def test_the_last_word_is_the_whole_prediction_without_its_input(
    server: Server, receiver: Receiver
) -> None:
    order(server, receiver, "completed")
    ((headers, body),) = receiver.told
    assert headers["Authorization"] == "Bearer t0ken"
    assert headers["User-Agent"].startswith("cogn/")
    assert (headers["Traceparent"], headers["Tracestate"]) == ("00-1-2-01", "a=b")
    assert body.pop("metrics")["predict_time"] >= 0
    assert body == {
        "id": "hooked",
        "logs": "made 0\nmade 1\n",
        "output": ["0", "1"],
        "status": "succeeded",
    }


def test_outputs_are_told_as_they_come_and_none_after_the_end(
    server: Server, receiver: Receiver
) -> None:
    order(server, receiver, "output", "completed", pause=0.05, count=4)
    time.sleep(0.3)
    outputs = [len(body["output"]) for _, body in receiver.told]
    assert outputs == sorted(outputs)
    assert outputs[-1] == 4
    assert receiver.statuses == ["processing"] * (len(outputs) - 1) + ["succeeded"]
    assert len(outputs) >= 3


def test_logs_are_told_now_and_then(server: Server, receiver: Receiver) -> None:
    order(server, receiver, "logs", pause=0.01, count=40)
    assert 1 <= len(receiver.told) <= 6
    assert set(receiver.statuses) == {"processing"}


def test_all_events_are_told_without_a_filter_and_none_with_an_empty_one(
    server: Server, receiver: Receiver
) -> None:
    order(server, receiver)
    assert receiver.statuses[-1] == "succeeded"
    assert "processing" in receiver.statuses
    receiver.told.clear()
    body = {"webhook": receiver.url, "webhook_events_filter": []}
    server.client.post("/predictions", json=body)
    time.sleep(0.2)
    assert receiver.told == []


def test_the_last_word_is_said_again_where_that_may_help(
    server: Server, receiver: Receiver
) -> None:
    receiver.answers = [503, 429]
    order(server, receiver, "completed")
    server.wait(lambda: len(receiver.told) == 3)
    assert receiver.statuses == ["succeeded"] * 3


@pytest.mark.parametrize("status", [400, 302])
def test_what_is_refused_for_good_or_sent_elsewhere_is_not_said_again(
    server: Server, receiver: Receiver, status: int
) -> None:
    receiver.answers = [status]
    order(server, receiver, "completed")
    time.sleep(0.4)
    assert len(receiver.told) == 1
    assert "secret" not in server.log()


def test_a_client_that_waits_is_told_too_and_a_bad_url_does_no_harm(
    server: Server, receiver: Receiver
) -> None:
    body = {"webhook": receiver.url, "webhook_events_filter": ["completed"]}
    assert server.client.post("/predictions", json=body).json()["status"] == "succeeded"
    server.wait(lambda: receiver.statuses == ["succeeded"])
    for url in ("file:///etc/passwd", "http://[", "nothing"):
        answer = server.client.post("/predictions", json={"webhook": url})
        assert answer.json()["status"] == "succeeded"
    assert server.predict()["status"] == "succeeded"


def test_the_server_ends_after_the_last_word(serve: Serve, receiver: Receiver) -> None:
    server = serve(MODEL)
    receiver.answers = [503]
    order(server, receiver, "completed", pause=0.2)
    server.process.terminate()
    assert server.process.wait(10) == 0
    assert receiver.statuses == ["succeeded"] * 2
