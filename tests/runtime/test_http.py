"""What the server answers to requests of every kind, besides predictions that are made."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from runtime.conftest import Serve, Server

MODEL = """
from cog import BasePredictor, Input

class Predictor(BasePredictor):
    def predict(
        self,
        text: str,
        steps: int = Input(default=1, ge=1, le=60),
        size: str = Input(default="a", choices=["a", "b"]),
        tags: list[str] = [],
    ) -> str:
        return text
"""


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    return serve_module(MODEL)


def test_the_index_names_what_can_be_asked_for(server: Server) -> None:
    index = server.client.get("/").json()
    assert index["predictions_url"] == "/predictions"
    assert {key for key in index if key.endswith("_url")} == {
        "healthcheck_url",
        "openapi_url",
        "predictions_cancel_url",
        "predictions_idempotent_url",
        "predictions_url",
        "shutdown_url",
    }
    for key in ("healthcheck_url", "openapi_url"):
        assert server.client.get(index[key]).status_code == 200


def test_health_says_how_setup_went(server: Server) -> None:
    health = server.health()
    assert list(health) == ["status", "setup", "version"]
    assert health["status"] == "READY"
    assert list(health["setup"]) == ["started_at", "completed_at", "status", "logs"]
    assert health["setup"]["status"] == "succeeded"
    assert health["setup"]["started_at"] < health["setup"]["completed_at"]
    head = server.client.head("/health-check")
    assert (head.status_code, head.content) == (200, b"")


def test_the_openapi_document_is_served_with_its_keys_sorted(server: Server) -> None:
    document = server.client.get("/openapi.json").json()
    assert list(document) == sorted(document)
    schema = document["components"]["schemas"]["Input"]
    assert schema["required"] == ["text"]
    assert [*schema["properties"]] == ["size", "steps", "tags", "text"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/predictions/x", 405),
        ("GET", "/predictions/x/y", 404),
        ("GET", "/predictions", 405),
        ("POST", "/health-check", 405),
        ("DELETE", "/", 405),
    ],
)
def test_unknown_paths_and_methods_are_answered_without_a_body(
    server: Server, method: str, path: str, status: int
) -> None:
    response = server.client.request(method, path)
    assert (response.status_code, response.content) == (status, b"")
    assert ("allow" in response.headers) == (status == 405)


def test_all_problems_of_an_input_are_reported_sorted_by_name(server: Server) -> None:
    response = server.post(steps=99, size="zzz", tags=["x", 3])
    assert response.status_code == 422
    assert response.json() == {
        "detail": [
            {
                "loc": ["body", "input", "size"],
                "msg": '"zzz" is not one of ["a","b"]',
                "type": "value_error",
            },
            {
                "loc": ["body", "input", "steps"],
                "msg": "99 is greater than the maximum of 60",
                "type": "value_error",
            },
            {
                "loc": ["body", "input", "tags/1"],
                "msg": '3 is not of type "string"',
                "type": "value_error",
            },
            {
                "loc": ["body", "input", "text"],
                "msg": "Field required",
                "type": "value_error.missing",
            },
        ]
    }


@pytest.mark.parametrize("given", [None, [], "text", 3])
def test_an_input_that_is_no_object_is_invalid(server: Server, given: object) -> None:
    response = server.client.post("/predictions", json={"input": given})
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["body", "input", "__root__"]


def test_unknown_inputs_are_dropped_with_a_warning(server: Server) -> None:
    assert server.predict(text="x", extra=1)["output"] == "x"
    assert '"severity":"WARNING","logger":"cogn.front","message":"dropped unknown' in server.log()


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", JSON, 400),
        (b"", JSON, 400),
        (b"\xff", JSON, 400),
        (b'{"input": {"text": "\\ud800"}}', JSON, 400),
        (b'{"input":' + b"[" * 100_000, JSON, 400),
        (b"{}", {}, 415),
        (b"{}", {"content-type": "text/plain"}, 415),
        (b"[]", JSON, 422),
        (b'{"id": 3}', JSON, 422),
        (b'{"context": {"a": 1}}', JSON, 422),
        (b'{"webhook": []}', JSON, 422),
        (b'{"webhook_events_filter": ["never"]}', JSON, 422),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_in_plain_text(
    server: Server, body: bytes, headers: dict[str, str], status: int
) -> None:
    response = server.client.post("/predictions", content=body, headers=headers)
    assert response.status_code == status
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert "Traceback" not in response.text
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("content_type", ["Application/JSON; charset=utf-8", "application/x+json"])
def test_all_spellings_of_the_content_type_of_json_are_read(
    server: Server, content_type: str
) -> None:
    response = server.client.post(
        "/predictions", content=b'{"input":{"text":"x"}}', headers={"content-type": content_type}
    )
    assert response.json()["output"] == "x"


def test_no_body_is_an_empty_request(server: Server) -> None:
    detail = server.client.post("/predictions").json()["detail"]
    assert [each["loc"][-1] for each in detail] == ["text"]


def test_a_body_that_is_too_long_is_refused_without_being_kept(server: Server) -> None:
    def chunks() -> Any:
        for _ in range(101):
            yield bytes(1024 * 1024)

    response = server.client.post("/predictions", content=chunks(), headers=JSON)
    assert response.status_code == 413
    assert server.predict(text="x")["output"] == "x"


def test_a_client_that_goes_away_while_it_sends_does_no_harm(server: Server) -> None:
    port = server.client.base_url.port
    for sent in (
        b"POST /predictions HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{",
        b"not http at all\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(sent)
    assert server.predict(text="x")["output"] == "x"
    assert "Traceback" not in server.log()
