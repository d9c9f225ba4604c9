"""Trainings: the same again, of the function that cog.yaml names under `train`."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from runtime.conftest import Server
from support.serving import Serve

MODEL = """
import pathlib, time
from cog import BaseModel, BasePredictor, Input

class Predictor(BasePredictor):
    def predict(self, text: str = "") -> str:
        return text

class TrainingOutput(BaseModel):
    weights: str

def train(steps: int = Input(default=1, ge=1), until: str = "") -> TrainingOutput:
    print("training")
    while until and not pathlib.Path(until).exists():
        time.sleep(0.01)
    if steps == 13:
        raise ValueError("unlucky")
    return TrainingOutput(weights=f"after {steps}")
"""


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    return serve_module(MODEL, "--x-mode", "train", train="predict.py:train")


def train(server: Server, **input_: Any) -> httpx.Response:
    server.wait_for("READY")
    return server.client.post("/trainings", json={"input": input_})


def test_the_index_names_them(server: Server) -> None:
    index = server.client.get("/").json()
    assert index["trainings_url"] == "/trainings"
    assert index["trainings_idempotent_url"] == "/trainings/{training_id}"
    assert index["trainings_cancel_url"] == "/trainings/{training_id}/cancel"


def test_the_document_has_them(server: Server) -> None:
    document = server.client.get("/openapi.json").json()
    assert {"/trainings", "/trainings/{training_id}/cancel"} <= set(document["paths"])
    schemas = {"TrainingInput", "TrainingOutput", "TrainingRequest", "TrainingResponse"}
    assert schemas <= set(document["components"]["schemas"])


def test_a_training_is_answered_as_a_prediction_is(server: Server) -> None:
    response = train(server, steps=3)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert list(answer) == ["id", "logs", "metrics", "output", "status"]
    assert (answer["output"], answer["logs"]) == ({"weights": "after 3"}, "training\n")


def test_a_training_that_raises_has_failed(server: Server) -> None:
    answer = train(server, steps=13).json()
    assert answer["status"] == "failed"
    assert answer["error"].endswith("ValueError: unlucky")


def test_its_input_is_checked(server: Server) -> None:
    refused = train(server, steps=0)
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == ["body", "input", "steps"]


def test_another_id_in_the_body_is_refused(server: Server) -> None:
    refused = server.client.put("/trainings/one", json={"id": "other"})
    assert refused.status_code == 422
    message = refused.json()["detail"][0]["msg"]
    assert message == "training ID must match the ID supplied in the URL"


def test_it_can_be_canceled(server: Server) -> None:
    body = {"id": "long", "input": {"until": "/nowhere"}}
    headers = {"prefer": "respond-async"}
    assert server.client.post("/trainings", json=body, headers=headers).status_code == 202
    server.wait_for("BUSY")
    known = server.client.put("/trainings/long", json={})
    assert known.status_code == 202
    assert server.client.post("/trainings/long/cancel").status_code == 200
    server.wait_for("READY")
    assert server.client.post("/trainings/long/cancel").status_code == 404


def test_there_are_no_events_of_it(server: Server) -> None:
    headers = {"accept": "text/event-stream"}
    refused = server.client.post("/trainings", json={}, headers=headers)
    assert refused.status_code == 406
    assert refused.json() == {"error": "Training endpoints do not support streaming responses."}


def test_a_server_that_predicts_has_none(serve: Serve) -> None:
    server = serve(MODEL, train="predict.py:train")
    assert server.client.post("/trainings", json={"input": {}}).status_code == 404


def test_without_a_training_function_there_are_none(serve: Serve) -> None:
    server = serve("def run() -> str:\n    return ''\n", reference="predict.py:run")
    assert not any("training" in name for name in server.client.get("/").json())
