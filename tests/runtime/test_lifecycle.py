"""Predictions that are named, waited for, left alone and canceled."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runtime.conftest import Serve, Server

MODEL = """
import ctypes, pathlib, subprocess, sys, time
import cog

class Predictor:
    def run(self, what: str = "echo", file: cog.Path | None = None) -> str:
        print("begun")
        try:
            match what:
                case "sleep": time.sleep(60)
                case "wait": subprocess.run(["sleep", "60"])
                case "loop":
                    while True: pass
                case "blocked": ctypes.PyDLL(None).sleep(60)
                case "swallow":
                    try: time.sleep(60)
                    except cog.CancelationException: print("caught")
        finally:
            print("cleaned up")
        return what
"""


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    return serve_module(MODEL, environment={"COGN_CANCEL_TIMEOUT": "1"})


def start(server: Server, id_: str, what: str) -> None:
    """Start a prediction that nobody waits for."""
    response = server.client.put(
        f"/predictions/{id_}", json={"input": {"what": what}}, headers={"prefer": "respond-async"}
    )
    assert response.status_code == 202
    assert response.json() == {"id": id_, "status": "starting"}
    server.wait(lambda: known(server, id_)["logs"] == "begun\n")


def known(server: Server, id_: str) -> dict[str, object]:
    """Ask for a prediction that runs."""
    response = server.client.put(f"/predictions/{id_}", json={})
    assert response.status_code == 202, response.text
    answer: dict[str, object] = response.json()
    return answer


def cancel(server: Server, id_: str) -> int:
    response = server.client.post(f"/predictions/{id_}/cancel")
    assert response.json() == {}
    return response.status_code


def test_a_prediction_that_runs_is_answered_with_what_is_known(server: Server) -> None:
    start(server, "one", "sleep")
    assert known(server, "one") == {
        "id": "one",
        "input": {"what": "sleep"},
        "logs": "begun\n",
        "metrics": {},
        "status": "processing",
    }
    refused = server.post(what="echo")
    assert refused.status_code == 409
    assert cancel(server, "one") == 200
    server.wait_for("READY")
    assert cancel(server, "one") == 404
    again = server.client.put("/predictions/one", json={"input": {"what": "echo"}})
    assert (again.status_code, again.json()["output"]) == (200, "echo")


def test_an_id_may_have_any_character_and_must_be_the_same_in_the_body(server: Server) -> None:
    answer = server.client.put("/predictions/a%2Fb%20%C3%BC", json={})
    assert answer.json()["id"] == "a/b ü"
    refused = server.client.put("/predictions/a", json={"id": "b"})
    assert refused.status_code == 422
    assert refused.json()["detail"] == [
        {
            "loc": ["body", "id"],
            "msg": "prediction ID must match the ID supplied in the URL",
            "type": "value_error",
        }
    ]


@pytest.mark.parametrize("what", ["sleep", "wait", "loop", "swallow"])
def test_a_canceled_prediction_ends_at_once_and_cleans_up(server: Server, what: str) -> None:
    with ThreadPoolExecutor() as pool:
        body = {"input": {"what": what}, "id": what}
        answer = pool.submit(server.client.post, "/predictions", json=body)
        server.wait_for("BUSY")
        server.wait(lambda: known(server, what)["logs"] == "begun\n")
        begin = time.monotonic()
        assert cancel(server, what) == 200
        canceled = answer.result().json()
    assert time.monotonic() - begin < 5
    assert (canceled["status"], canceled["id"]) == ("canceled", what)
    assert {"output", "error"}.isdisjoint(canceled)
    assert canceled["logs"].endswith("cleaned up\n")
    assert "Traceback" not in canceled["logs"]
    assert server.predict(what="echo")["output"] == "echo"


def test_a_worker_that_does_not_hear_of_it_is_killed_and_another_started(server: Server) -> None:
    with ThreadPoolExecutor() as pool:
        body = {"input": {"what": "blocked"}, "id": "blocked"}
        answer = pool.submit(server.client.post, "/predictions", json=body)
        server.wait_for("BUSY")
        server.wait(lambda: known(server, "blocked")["logs"] == "begun\n")
        time.sleep(0.2)  # until it is in C code
        cancel(server, "blocked")
        assert answer.result().json()["status"] == "canceled"
    assert "it did not end a canceled prediction within 1 s" in server.log()
    server.wait_for("READY")
    assert server.predict(what="echo")["output"] == "echo"


def test_a_client_that_goes_away_cancels_its_prediction(server: Server) -> None:
    body = b'{"input": {"what": "sleep"}, "id": "left"}'
    address = ("127.0.0.1", int(server.client.base_url.port or 0))
    with socket.create_connection(address) as connection:
        head = f"POST /predictions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
        connection.sendall(f"{head}content-type: application/json\r\n\r\n".encode() + body)
        server.wait_for("BUSY")
    server.wait_for("READY")
    assert "canceling prediction left: its client is gone" in server.log()


def test_who_would_wait_a_while_gets_the_answer_if_it_comes_in_time(server: Server) -> None:
    def ask(what: str, wait: str) -> tuple[int, str]:
        response = server.client.put(
            "/predictions/patient",
            json={"input": {"what": what}},
            headers={"prefer": f"respond-async, wait={wait}"},
        )
        return response.status_code, response.json()["status"]

    assert ask("echo", "5") == (200, "succeeded")
    assert ask("sleep", "1") == (202, "processing")
    cancel(server, "patient")
    server.wait_for("READY")


def test_a_prediction_whose_file_is_being_fetched_holds_no_slot(
    server: Server, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/file.txt"
        body = {"input": {"file": url}}
        headers = {"prefer": "respond-async"}
        assert server.client.put("/predictions/f", json=body, headers=headers).status_code == 202
        connection, _ = silent.accept()
        with connection:
            connection.recv(65536)
            assert known(server, "f")["status"] == "starting"
            assert server.predict(what="echo")["output"] == "echo"
            start(server, "first", "sleep")
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\ncontent")
        time.sleep(0.2)
        assert known(server, "f")["status"] == "starting"  # it waits for its turn
        cancel(server, "first")
        server.wait_for("READY")
        assert cancel(server, "f") == 404


def test_a_prediction_is_canceled_while_its_file_is_being_fetched(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/file.txt"
        with ThreadPoolExecutor() as pool:
            body = {"input": {"file": url}, "id": "fetching"}
            answer = pool.submit(server.client.post, "/predictions", json=body)
            connection, _ = silent.accept()
            with connection:
                assert cancel(server, "fetching") == 200
                assert answer.result().json()["status"] == "canceled"


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_predictions_are_canceled_at_once_and_again_under_the_same_id(
    serve: Serve, kind: str
) -> None:
    source = f"""
    import asyncio, os, time
    import cog

    {kind} run(file: cog.Path | None = None, wait: bool = False) -> str:
        if wait:
            {"await asyncio.sleep(60)" if kind == "async def" else "time.sleep(60)"}
        return str(os.getpid())
    """
    server = serve(source, reference="predict.py:run", environment={"COGN_CANCEL_TIMEOUT": "3"})
    worker = server.predict()["output"]
    headers = {"prefer": "respond-async"}
    inputs = ({"wait": True}, {"wait": True, "file": "data:," + "x" * 100_000})
    for round_ in range(20):
        body = {"input": inputs[round_ % 2]}
        assert server.client.put("/predictions/same", json=body, headers=headers).status_code == 202
        time.sleep(round_ % 5 / 500)
        assert server.client.post("/predictions/same/cancel").status_code == 200
        server.wait_for("READY")
    again = server.client.put("/predictions/same", json={"input": {}})
    assert (again.status_code, again.json()["output"]) == (200, worker)
    time.sleep(3.2)  # whoever was not heard of would be killed now
    assert server.predict()["output"] == worker


def test_what_nobody_waits_for_ends_before_the_server_does(serve: Serve) -> None:
    server = serve(MODEL.replace("time.sleep(60)", "time.sleep(1.5)", 1))
    start(server, "last", "sleep")
    server.process.terminate()
    assert server.process.wait(10) == 0
    assert "cleaned up" in server.log()
