"""A server that trains: `--x-mode train`."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from cogn_runtime.front.document import BAKED
from runtime.conftest import Serve, Server

CASE = Path(__file__).parents[1] / "cases" / "openapi" / "predict_and_train"
STUBS = {"COG_TRAIN_TYPE_STUB": "predict.py:train"}
DIRECTORY = {"weights.bin": "trained"}


@pytest.fixture(scope="module")
def trainer(serve_module: Serve) -> Server:
    """A server that trains the model of Cog's own case."""
    source = CASE.with_suffix(".py").read_text("utf-8")
    return serve_module(source, "--x-mode", "train", environment=STUBS, files=DIRECTORY)


def train(server: Server, **input_: object) -> tuple[int, dict[str, object]]:
    response = server.client.post("/trainings", json={"input": input_})
    return response.status_code, response.json()


def test_a_training_is_answered_as_a_prediction_is(trainer: Server) -> None:
    status, training = train(trainer, n=3)
    assert (status, training["status"]) == (200, "succeeded")
    content = base64.b64encode(b"trained").decode()
    assert training["output"] == {"weights": f"data:application/octet-stream;base64,{content}"}
    status, refused = train(trainer, n=300)
    assert (status, refused) == (
        422,
        {
            "detail": [
                {
                    "loc": ["body", "input", "n"],
                    "msg": "300 is greater than the maximum of 10",
                    "type": "value_error",
                }
            ]
        },
    )


def test_a_training_has_an_id_can_be_asked_for_again_and_canceled(serve: Serve) -> None:
    source = """
    import time

    class Trainer:
        def setup(self):
            self.pause = 60

        async def train(self, n: int) -> str:
            import asyncio
            print("begun")
            await asyncio.sleep(self.pause)
            return "never"
    """
    stubs = {"COG_TRAIN_TYPE_STUB": "predict.py:Trainer"}
    server = serve(source, "--x-mode", "train", environment=stubs)
    body = {"input": {"n": 1}}
    headers = {"prefer": "respond-async"}
    begun = server.client.put("/trainings/t1", json=body, headers=headers)
    assert (begun.status_code, begun.json()) == (202, {"id": "t1", "status": "starting"})
    server.wait(lambda: server.client.put("/trainings/t1", json={}).json()["logs"] == "begun\n")
    assert server.client.post("/trainings/t1/cancel").status_code == 200
    server.wait_for("READY")
    assert server.client.post("/trainings/t1/cancel").status_code == 404
    mismatch = server.client.put("/trainings/t1", json={"id": "t2"}).json()["detail"][0]["msg"]
    assert mismatch == "training ID must match the ID supplied in the URL"


def test_a_server_that_trains_says_so(trainer: Server) -> None:
    index = trainer.client.get("/").json()
    assert index["trainings_url"] == "/trainings"
    assert index["trainings_idempotent_url"] == "/trainings/{training_id}"
    assert index["trainings_cancel_url"] == "/trainings/{training_id}/cancel"
    assert "predictions_url" not in index
    refused = trainer.client.post("/predictions", json={"input": {"text": "x"}})
    assert refused.status_code == 404
    assert refused.json() == {
        "error": "This server trains: start one without `--x-mode train` for predictions.",
        "status": "failed",
    }
    stream = trainer.client.post(
        "/trainings", json={"input": {"n": 1}}, headers={"accept": "text/event-stream"}
    )
    assert stream.status_code == 406
    assert stream.json() == {"error": "Training endpoints do not support streaming responses."}


def test_a_server_that_predicts_says_how_to_train(serve: Serve) -> None:
    server = serve("def run(text: str) -> str: return text", reference="predict.py:run")
    refused = server.client.post("/trainings", json={"input": {}})
    assert refused.status_code == 404
    error = "This server makes predictions: start one with `--x-mode train` for trainings."
    assert refused.json()["error"] == error
    assert server.client.get("/trainings/x").status_code == 404


@pytest.mark.parametrize("mode", ["predict", "train"])
def test_the_document_of_the_image_stays_whole_in_either_mode(serve: Serve, mode: str) -> None:
    document = json.loads(CASE.with_suffix(".json").read_text("utf-8"))
    document["info"]["version"] = "0.1.0"
    source = CASE.with_suffix(".py").read_text("utf-8")
    files = {**DIRECTORY, str(BAKED): json.dumps(document)}
    server = serve(source, "--x-mode", mode, environment=STUBS, files=files)
    assert server.client.get("/openapi.json").json() == document
    assert "OpenAPI document" not in server.log()


def test_trainings_are_made_one_at_a_time_however_many_predictions_are(serve: Serve) -> None:
    stubs = {"COG_TRAIN_TYPE_STUB": "predict.py:train", "COG_MAX_CONCURRENCY": "4"}
    source = "def train(n: int) -> int: return n"
    server = serve(source, "--x-mode", "train", environment=stubs)
    assert train(server, n=1)[1]["output"] == 1
    assert "cogn_slots 1.0" in server.client.get("/metrics").text


def test_a_class_without_train_cannot_train(serve: Serve) -> None:
    stubs = {"COG_TRAIN_TYPE_STUB": "predict.py:Trainer"}
    arguments = ("--x-mode", "train")
    server = serve("class Trainer: ...", *arguments, environment=stubs, until="SETUP_FAILED")
    assert "Setup failed: Trainer must define train()" in server.health()["setup"]["logs"]
