"""What there is to ask for, and how every answer is written."""

from __future__ import annotations

import pytest

from runtime.conftest import Server
from support.serving import Serve

MODEL = """
from cog import BasePredictor, Input

class Predictor(BasePredictor):
    def predict(self, text: str = "", steps: int = Input(default=1, ge=1, le=60)) -> str:
        return text
"""


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    return serve_module(MODEL)


def test_the_index_says_where_everything_is(server: Server) -> None:
    index = server.client.get("/").json()
    assert index.pop("cog_version")
    index.pop("docs_url", None)
    assert index == {
        "healthcheck_url": "/health-check",
        "openapi_url": "/openapi.json",
        "predictions_cancel_url": "/predictions/{prediction_id}/cancel",
        "predictions_idempotent_url": "/predictions/{prediction_id}",
        "predictions_url": "/predictions",
        "shutdown_url": "/shutdown",
    }


def test_all_that_the_index_names_is_there(server: Server) -> None:
    index = server.client.get("/").json()
    wanted = [url for name, url in index.items() if name.endswith("_url") and "{" not in url]
    assert [url for url in wanted if server.client.get(url).status_code == 404] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nothing"), ("POST", "/predictions/x/cancel/y"), ("GET", "/predictions/x/y/z")],
)
def test_an_unknown_path_is_answered_with_404_and_nothing(
    server: Server, method: str, path: str
) -> None:
    response = server.client.request(method, path)
    assert (response.status_code, response.content) == (404, b"")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/predictions", {"POST"}),
        ("GET", "/predictions/x", {"PUT"}),
        ("GET", "/predictions/x/cancel", {"POST"}),
        ("POST", "/health-check", {"GET", "HEAD"}),
        ("GET", "/shutdown", {"POST"}),
        ("DELETE", "/", {"GET", "HEAD"}),
    ],
)
def test_a_method_that_a_path_does_not_have_is_answered_with_405_and_those_it_has(
    server: Server, method: str, path: str, allowed: set[str]
) -> None:
    response = server.client.request(method, path)
    assert (response.status_code, response.content) == (405, b"")
    assert {each.strip() for each in response.headers["allow"].split(",")} == allowed


@pytest.mark.parametrize("path", ["/", "/health-check", "/openapi.json"])
def test_what_can_be_got_has_a_head(server: Server, path: str) -> None:
    response = server.client.head(path)
    assert (response.status_code, response.content) == (200, b"")


def test_json_is_compact_and_its_keys_are_sorted(server: Server) -> None:
    for response in (server.client.get("/"), server.client.get("/openapi.json"), server.post()):
        assert response.headers["content-type"] == "application/json"
        assert b'": ' not in response.content
        assert b'", "' not in response.content
        assert list(response.json()) == sorted(response.json())


def test_answers_have_no_header_that_a_client_could_rely_on_besides_type_and_length(
    server: Server,
) -> None:
    headers = set(server.post().headers) - {"connection", "date", "server"}
    assert headers == {"content-type", "content-length"}


def test_the_document_is_the_one_that_the_image_has(server: Server) -> None:
    document = server.client.get("/openapi.json").json()
    assert document["openapi"] == "3.0.2"
    assert set(document["paths"]) == {
        "/",
        "/health-check",
        "/predictions",
        "/predictions/{prediction_id}/cancel",
    }
    schemas = document["components"]["schemas"]
    assert {"Input", "Output", "PredictionRequest", "PredictionResponse", "Status"} <= set(schemas)
    assert schemas["Input"]["properties"]["steps"] == {
        "default": 1,
        "maximum": 60,
        "minimum": 1,
        "title": "Steps",
        "type": "integer",
        "x-order": 1,
    }


def test_without_a_document_there_is_none(serve: Serve) -> None:
    server = serve("import time\ntime.sleep(600)\n" + MODEL, until="STARTING", has_document=False)
    response = server.client.get("/openapi.json")
    assert response.status_code == 503
    assert response.json() == {"error": "OpenAPI schema not available"}
