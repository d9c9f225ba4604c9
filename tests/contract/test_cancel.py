"""POST /predictions/ID/cancel: the end of a prediction that nobody wants any more."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from runtime.conftest import Server
from support.serving import Serve

MODEL = """
import time
from cog import BasePredictor, CancelationException

class Predictor(BasePredictor):
    def predict(self, how: str = "") -> str:
        try:
            print("begun")
            match how:
                case "loop" | "swallow":
                    while True: pass
                case "sleep":
                    time.sleep(3)
        except CancelationException:
            if how != "swallow":
                raise
            end = time.monotonic() + 0.5
            while time.monotonic() < end: pass
        finally:
            print("cleaned up")
        return "done"
"""
ASYNCHRONOUS = """
import asyncio
from cog import BasePredictor

class Predictor(BasePredictor):
    async def predict(self, how: str = "") -> str:
        print("begun")
        try:
            await asyncio.sleep(60 if how else 0)
        except asyncio.CancelledError:
            if how != "swallow":
                raise
        return "done"
"""


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    return serve_module(MODEL)


@pytest.fixture(scope="module")
def asynchronous(serve_module: Serve) -> Server:
    return serve_module(ASYNCHRONOUS)


def begin(server: Server, pool: ThreadPoolExecutor, how: str) -> Future[Any]:
    """Ask for a prediction; return what its answer will be, when the model has begun."""
    server.wait_for("READY")
    body = {"id": how, "input": {"how": how}}
    answer = pool.submit(lambda: server.client.post("/predictions", json=body).json())
    server.wait_for("BUSY")
    server.wait(lambda: has_begun(server, how))
    return answer


def has_begun(server: Server, id_: str) -> bool:
    """Whether the model is at it: Cog's server may lose what cancels a prediction before that."""
    known: dict[str, Any] = server.client.put(f"/predictions/{id_}", json={}).json()
    return known.get("logs") == "begun\n"


def cancel(server: Server, id_: str) -> tuple[int, Any]:
    response = server.client.post(f"/predictions/{id_}/cancel")
    return response.status_code, response.json()


def canceled(server: Server, how: str) -> dict[str, Any]:
    """Cancel a prediction that has begun; return its answer."""
    with ThreadPoolExecutor() as pool:
        answer = begin(server, pool, how)
        assert cancel(server, how) == (200, {})
        made: dict[str, Any] = answer.result()
    return made


def test_a_prediction_that_is_not_made_is_answered_with_404(server: Server) -> None:
    assert cancel(server, "nobody") == (404, {})


def test_one_that_is_canceled_has_its_id_logs_metrics_and_status_alone(server: Server) -> None:
    answer = canceled(server, "loop")
    assert list(answer) == ["id", "logs", "metrics", "status"]
    assert (answer["id"], answer["status"]) == ("loop", "canceled")


def test_one_that_is_canceled_has_its_logs(server: Server) -> None:
    assert canceled(server, "loop")["logs"] == "begun\ncleaned up\n"


def test_it_may_be_canceled_more_than_once(server: Server) -> None:
    with ThreadPoolExecutor() as pool:
        answer = begin(server, pool, "swallow")
        assert [cancel(server, "swallow")[0] for _ in range(2)] == [200, 200]
        assert answer.result()["status"] == "canceled"


def test_the_slot_is_free_afterwards(server: Server) -> None:
    canceled(server, "loop")
    server.wait_for("READY")
    assert server.predict()["output"] == "done"


def test_a_model_that_waits_is_reached_at_once(server: Server) -> None:
    begin_ = time.monotonic()
    assert canceled(server, "sleep")["status"] == "canceled"
    server.wait_for("READY")
    assert time.monotonic() - begin_ < 2


def test_a_model_that_goes_on_all_the_same_is_canceled(server: Server) -> None:
    assert canceled(server, "swallow")["status"] == "canceled"


@pytest.mark.parametrize("how", ["wait", "swallow"])
def test_the_task_of_an_asynchronous_model_is_canceled(asynchronous: Server, how: str) -> None:
    assert canceled(asynchronous, how)["status"] == "canceled"
    asynchronous.wait_for("READY")
    assert asynchronous.predict()["output"] == "done"


@pytest.mark.parametrize(("id_", "path"), [("loop", "loop"), ("a/b ü", "a%2Fb%20%C3%BC")])
def test_one_that_nobody_waits_for_can_be_canceled_by_its_id(
    server: Server, id_: str, path: str
) -> None:
    body = {"id": id_, "input": {"how": "loop"}}
    headers = {"prefer": "respond-async"}
    assert server.client.post("/predictions", json=body, headers=headers).status_code == 202
    server.wait(lambda: has_begun(server, path))
    assert cancel(server, path) == (200, {})
    server.wait_for("READY")
