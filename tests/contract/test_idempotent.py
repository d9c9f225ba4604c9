"""PUT /predictions/ID: a prediction that is asked for again is not made twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.conftest import Server
from support.serving import Serve

MODEL = """
import pathlib, time
from cog import BasePredictor

class Predictor(BasePredictor):
    def setup(self) -> None:
        self.count = 0

    def predict(self, text: str = "", until: str = "") -> int:
        self.count += 1
        print("begun")
        while until and not pathlib.Path(until).exists():
            time.sleep(0.01)
        return self.count
"""
ASYNC = {"prefer": "respond-async"}


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    return serve_module(MODEL)


def put(server: Server, id_: str, **body: Any) -> httpx.Response:
    return server.client.put(f"/predictions/{id_}", json=body)


def started(server: Server, id_: str, until: Path) -> None:
    """Begin a prediction that runs until the file is there."""
    body = {"input": {"until": str(until)}}
    answer = server.client.put(f"/predictions/{id_}", json=body, headers=ASYNC)
    assert (answer.status_code, answer.json()) == (202, {"id": id_, "status": "starting"})
    server.wait(lambda: put(server, id_).json().get("logs") == "begun\n")


def test_it_answers_as_a_post_does_with_that_id(server: Server) -> None:
    answer = put(server, "one", input={"text": "x"})
    assert answer.status_code == 200
    assert list(answer.json()) == ["id", "logs", "metrics", "output", "status"]
    assert answer.json()["id"] == "one"


def test_the_id_may_have_any_character_encoded(server: Server) -> None:
    assert put(server, "a%2Fb%20%C3%BC%25").json()["id"] == "a/b ü%"


def test_the_id_in_the_body_may_be_the_same(server: Server) -> None:
    assert put(server, "same", id="same").status_code == 200


def test_another_id_in_the_body_is_refused(server: Server) -> None:
    refused = put(server, "one", id="other")
    assert refused.status_code == 422
    assert refused.json() == {
        "detail": [
            {
                "loc": ["body", "id"],
                "msg": "prediction ID must match the ID supplied in the URL",
                "type": "value_error",
            }
        ]
    }


def test_while_it_is_made_what_is_known_is_answered_with_the_input(
    server: Server, tmp_path: Path
) -> None:
    started(server, "slow", tmp_path / "go")
    answer = put(server, "slow")
    (tmp_path / "go").touch()
    assert answer.status_code == 202
    assert answer.json() == {
        "id": "slow",
        "input": {"until": str(tmp_path / "go")},
        "logs": "begun\n",
        "metrics": {},
        "status": "processing",
    }
    server.wait_for("READY")


def test_while_it_is_made_the_input_is_not_looked_at(server: Server, tmp_path: Path) -> None:
    started(server, "slow", tmp_path / "go")
    answers = [put(server, "slow", input=each).status_code for each in (3, {"text": 3})]
    (tmp_path / "go").touch()
    assert answers == [202, 202]
    server.wait_for("READY")


def test_while_it_is_made_another_id_in_the_body_is_refused(server: Server, tmp_path: Path) -> None:
    started(server, "slow", tmp_path / "go")
    answer = put(server, "slow", id="other")
    (tmp_path / "go").touch()
    assert answer.status_code == 422
    server.wait_for("READY")


def test_one_that_has_ended_is_made_again(server: Server) -> None:
    first = put(server, "again").json()["output"]
    server.wait_for("READY")
    assert put(server, "again").json()["output"] == first + 1


def test_another_one_is_refused_meanwhile(server: Server, tmp_path: Path) -> None:
    started(server, "slow", tmp_path / "go")
    answer = put(server, "fast")
    (tmp_path / "go").touch()
    assert answer.status_code == 409
    server.wait_for("READY")
