"""Predictions: POST /predictions, and what comes back."""

from __future__ import annotations

import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from runtime.conftest import Server
from support.serving import Serve

MODEL = """
import pathlib, sys, time
import cog
from cog import BasePredictor

class Predictor(BasePredictor):
    def predict(self, text: str = "nothing", how: str = "", until: str = "") -> str:
        print("about to", how)
        while until and not pathlib.Path(until).exists():
            time.sleep(0.01)
        match how:
            case "raise":
                raise ValueError("boom")
            case "exit":
                sys.exit(3)
            case "sleep":
                time.sleep(0.2)
            case "context":
                return repr(sorted(cog.current_scope().context.items()))
        return text
"""
ASYNC = {"prefer": "respond-async"}


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    return serve_module(MODEL)


def occupied(server: Server, until: Path, id_: str = "first") -> None:
    """Start a prediction that runs until the file is there."""
    body = {"id": id_, "input": {"until": str(until)}}
    assert server.client.post("/predictions", json=body, headers=ASYNC).status_code == 202
    server.wait_for("BUSY")


def test_a_prediction_that_succeeds_has_its_id_logs_metrics_output_and_status(
    server: Server,
) -> None:
    response = server.post(text="x")
    assert response.status_code == 200
    prediction = response.json()
    assert list(prediction) == ["id", "logs", "metrics", "output", "status"]
    assert (prediction["output"], prediction["status"]) == ("x", "succeeded")


def test_without_an_id_it_gets_one_of_the_time(server: Server) -> None:
    (time_,) = re.fullmatch("pred_([0-9a-f]+)", server.predict()["id"]).groups()  # type: ignore[union-attr]
    assert abs(int(time_, 16) / 1e9 - time.time()) < 60


def test_an_id_that_the_client_gives_is_kept(server: Server) -> None:
    assert server.client.post("/predictions", json={"id": "mine ü"}).json()["id"] == "mine ü"


def test_predict_time_is_how_many_seconds_the_model_took(server: Server) -> None:
    assert 0.2 <= server.predict(how="sleep")["metrics"]["predict_time"] < 2


def test_what_is_printed_is_in_the_logs(server: Server) -> None:
    assert server.predict(how="print")["logs"] == "about to print\n"


def test_a_prediction_that_raises_has_failed_and_has_an_error_and_no_output(
    server: Server,
) -> None:
    response = server.post(how="raise")
    assert response.status_code == 200
    prediction = response.json()
    assert list(prediction) == ["error", "id", "logs", "metrics", "status"]
    assert prediction["status"] == "failed"
    assert prediction["error"].endswith("ValueError: boom")


def test_the_error_is_what_the_model_said_and_nothing_else(server: Server) -> None:
    assert server.predict(how="raise")["error"] == "ValueError: boom"


def test_a_prediction_that_failed_has_its_logs(server: Server) -> None:
    assert server.predict(how="raise")["logs"].startswith("about to raise\n")


def test_a_model_that_exits_has_failed_and_the_next_prediction_is_made(server: Server) -> None:
    failed = server.predict(how="exit")
    assert failed["status"] == "failed"
    assert failed["error"].endswith("SystemExit: 3")
    server.wait_for("READY")
    assert server.predict(text="next")["output"] == "next"


def test_context_reaches_the_model(server: Server) -> None:
    body = {"input": {"how": "context"}, "context": {"who": "me", "when": "now"}}
    answer = server.client.post("/predictions", json=body).json()
    assert answer["output"] == repr([("when", "now"), ("who", "me")])


def test_other_keys_of_the_body_are_ignored(server: Server) -> None:
    body = {"input": {"text": "x"}, "created_at": 1, "output_file_prefix": [], "version": None}
    assert server.client.post("/predictions", json=body).json()["output"] == "x"


@pytest.mark.parametrize("body", [None, {}, {"input": {}}], ids=["no body", "empty", "no input"])
def test_what_is_left_out_is_empty(server: Server, body: object) -> None:
    assert server.client.post("/predictions", json=body).json()["output"] == "nothing"


def test_who_prefers_not_to_wait_is_answered_at_once(server: Server, tmp_path: Path) -> None:
    body = {"id": "later", "input": {"until": str(tmp_path / "go")}}
    answer = server.client.post("/predictions", json=body, headers=ASYNC)
    assert (answer.status_code, answer.json()) == (202, {"id": "later", "status": "starting"})
    (tmp_path / "go").touch()
    server.wait_for("READY")


def test_a_wait_beside_it_bounds_how_long_the_answer_takes(server: Server, tmp_path: Path) -> None:
    headers = {"prefer": "respond-async, wait=1"}
    body = {"input": {"until": str(tmp_path / "go")}}
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(server.client.post, "/predictions", json=body, headers=headers)
        time.sleep(2)
        is_answered = answer.done()
        (tmp_path / "go").touch()
        assert is_answered
        assert answer.result().status_code == 202
    server.wait_for("READY")


def test_a_second_prediction_is_refused_while_one_is_made(server: Server, tmp_path: Path) -> None:
    occupied(server, tmp_path / "go")
    refused = server.post()
    (tmp_path / "go").touch()
    assert refused.status_code == 409
    assert refused.json() == {
        "error": "At capacity - all prediction slots busy",
        "status": "failed",
    }
    server.wait_for("READY")


def test_an_input_is_checked_before_it_is_seen_whether_there_is_a_slot(
    server: Server, tmp_path: Path
) -> None:
    occupied(server, tmp_path / "go")
    refused = server.post(text=3)
    (tmp_path / "go").touch()
    assert refused.status_code == 422
    server.wait_for("READY")


def test_a_client_that_waits_finds_the_slot_free_when_it_has_its_answer(server: Server) -> None:
    assert {server.post().status_code for _ in range(200)} == {200}


def test_a_client_that_goes_away_cancels_what_it_waits_for(server: Server, tmp_path: Path) -> None:
    body = f'{{"input": {{"until": "{tmp_path / "never"}"}}}}'.encode()
    head = f"POST /predictions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
    address = ("127.0.0.1", int(server.client.base_url.port or 0))
    with socket.create_connection(address) as connection:
        connection.sendall(f"{head}content-type: application/json\r\n\r\n".encode() + body)
        server.wait_for("BUSY")
    server.wait_for("READY")


def test_what_nobody_waits_for_goes_on_when_its_client_has_gone(
    server: Server, tmp_path: Path
) -> None:
    occupied(server, tmp_path / "go")
    time.sleep(0.3)
    assert server.health()["status"] == "BUSY"
    (tmp_path / "go").touch()
    server.wait_for("READY")


def test_before_the_model_is_ready_predictions_are_refused(serve: Serve) -> None:
    server = serve("import time\ntime.sleep(600)\n" + MODEL, until="STARTING")
    refused = server.post()
    assert refused.status_code == 503
    assert refused.json() == {
        "error": "Setup has not finished yet. "
        "Wait until it has finished, or GET /health-check for status.",
        "status": "failed",
    }


MODELS = """
from cog import BasePredictor, BaseRunner

class Predicting(BasePredictor):
    def predict(self, n: int) -> int:
        return n + 1

class Running(BaseRunner):
    def run(self, n: int) -> int:
        return n + 1

class Bare:
    def predict(self, n: int) -> int:
        return n + 1

def function(n: int) -> int:
    return n + 1
"""


@pytest.mark.parametrize("name", ["Predicting", "Running", "Bare", "function"])
def test_a_model_is_a_class_with_run_or_predict_or_a_function(serve: Serve, name: str) -> None:
    assert serve(MODELS, reference=f"predict.py:{name}").predict(n=1)["output"] == 2


def test_a_value_of_many_megabytes_passes(server: Server) -> None:
    text = "ä" * 4_000_000
    assert server.predict(text=text)["output"] == text


def _weights(serve: Serve, **environment: str) -> Any:
    source = """
    from cog import BasePredictor

    class Predictor(BasePredictor):
        def setup(self, weights: str | None = None) -> None:
            self.weights = weights

        def predict(self) -> str:
            return str(self.weights)
    """
    return serve(source, environment=environment).predict()["output"]


def test_setup_is_given_the_weights_that_the_environment_names(serve: Serve) -> None:
    assert _weights(serve, COG_WEIGHTS="http://127.0.0.1:1/w") == "http://127.0.0.1:1/w"


def test_setup_is_given_nothing_when_there_are_no_weights(serve: Serve) -> None:
    assert _weights(serve) == "None"
