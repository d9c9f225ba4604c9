"""The OpenAPI document that is baked into an image, and what becomes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cogn_runtime.front.document import BAKED, differences
from runtime.conftest import Serve

WAITING = "import pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(0.01)\n"
HELLO = """
class Predictor:
    def run(self, text: str, times: int = 2) -> str:
        return text * times
"""


def live_document(serve: Serve) -> dict[str, Any]:
    document: dict[str, Any] = serve(HELLO).client.get("/openapi.json").json()
    return document


def test_what_is_baked_is_served_before_the_model_is_loaded(serve: Serve, tmp_path: Path) -> None:
    document = live_document(serve)
    server = serve(WAITING + HELLO, until=None, files={str(BAKED): json.dumps(document)})
    assert server.client.get("/openapi.json").json() == document
    (tmp_path / "model1" / "go").touch()
    server.wait_for("READY")
    assert server.client.get("/openapi.json").json() == document
    assert "OpenAPI document" not in server.log()


def test_where_the_model_is_another_the_place_is_logged_and_its_own_is_served(
    serve: Serve,
) -> None:
    document = live_document(serve)
    baked = json.loads(json.dumps(document))
    inputs = baked["components"]["schemas"]["Input"]
    inputs["properties"]["times"]["default"] = 3
    inputs["properties"]["gone"] = {"type": "string"}
    server = serve(HELLO, files={str(BAKED): json.dumps(baked)})
    assert server.client.get("/openapi.json").json() == document
    place = "components.schemas.Input.properties"
    assert f"`{place}.times.default` is 3 in the image's, 2 in the model's" in server.log()
    assert f"`{place}.gone` is only in the image's" in server.log()


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000])
def test_a_baked_document_that_cannot_be_read_is_as_good_as_none(serve: Serve, text: str) -> None:
    server = serve(HELLO, files={str(BAKED): text})
    assert server.client.get("/openapi.json").json()["openapi"] == "3.0.2"
    assert "openapi_schema.json cannot be read" in server.log()


def test_differences_name_the_place_and_what_is_in_either() -> None:
    baked = {"a": [1, {"b": True}], "c": "x" * 100, "e": [1], "same": None}
    live = {"a": [1, {"b": 1}], "c": "y", "d": 1, "e": [1, 2], "same": None}
    assert list(differences(baked, live)) == [
        "`a[1].b` is true in the image's, 1 in the model's",
        f'`c` is "{"x" * 79}... in the image\'s, "y" in the model\'s',
        "`d` is only in the model's",
        "`e` is [1] in the image's, [1,2] in the model's",
    ]
