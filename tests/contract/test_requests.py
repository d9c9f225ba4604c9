"""Requests that are refused: what is wrong is said, in which form, and with which status."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from runtime.conftest import Server
from support.serving import Serve

MODEL = """
from typing import Optional, Union
from cog import BasePredictor, Input

class Predictor(BasePredictor):
    def predict(
        self,
        text: str = Input(default="abc", min_length=1, max_length=3, regex="^[a-c]"),
        steps: int = Input(default=1, ge=1, le=60),
        scale: float = 1.5,
        flag: bool = False,
        size: str = Input(default="a", choices=["a", "b"]),
        tags: list[str] = [],
        numbers: list[int] = [],
        anything: dict = {},
        either: Union[int, str] = 3,
        maybe: Optional[int] = None,
    ) -> str:
        return repr(maybe)

def needy(first: str, second: int, third: bool = True) -> str:
    return first
"""
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    return serve_module(MODEL)


@pytest.fixture(scope="module")
def needy(serve_module: Serve) -> Server:
    return serve_module(MODEL, reference="predict.py:needy")


def problems(server: Server, input_: object) -> list[tuple[str, str, str]]:
    """Return the place in the input, the message and the type of all that is wrong with it."""
    response = server.client.post("/predictions", json={"input": input_})
    assert response.status_code == 422, response.text
    assert list(response.json()) == ["detail"]
    detail: list[dict[str, Any]] = response.json()["detail"]
    assert all(each["loc"][:2] == ["body", "input"] for each in detail)
    return [(each["loc"][2], each["msg"], each["type"]) for each in detail]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("text", 3, '3 is not of type "string"'),
        ("text", None, 'null is not of type "string"'),
        ("text", "aaaa", '"aaaa" is longer than 3 characters'),
        ("text", "", '"" is shorter than 1 character'),
        ("text", "x", '"x" does not match "^[a-c]"'),
        ("steps", "1", '"1" is not of type "integer"'),
        ("steps", 1.5, '1.5 is not of type "integer"'),
        ("steps", 99, "99 is greater than the maximum of 60"),
        ("steps", 0, "0 is less than the minimum of 1"),
        ("scale", "1", '"1" is not of type "number"'),
        ("flag", 1, '1 is not of type "boolean"'),
        ("size", "zzz", '"zzz" is not one of ["a","b"]'),
        ("tags", "a", '"a" is not of type "array"'),
        ("anything", [], '[] is not of type "object"'),
        (
            "either",
            [1],
            "[1] is not valid under any of the schemas listed in the 'anyOf' keyword",
        ),
    ],
    ids=lambda each: str(each)[:24],
)
def test_an_input_that_does_not_fit_is_named_and_the_rule_it_breaks(
    server: Server, name: str, value: object, message: str
) -> None:
    found = problems(server, {name: value})
    assert {(place, kind) for place, _, kind in found} == {(name, "value_error")}
    assert message in [said for _, said, _ in found]


def test_what_is_required_and_missing_is_a_problem_of_its_own_kind(needy: Server) -> None:
    assert problems(needy, {}) == [
        ("first", "Field required", "value_error.missing"),
        ("second", "Field required", "value_error.missing"),
    ]


def test_all_problems_are_told_at_once_sorted_by_the_input(server: Server) -> None:
    found = problems(server, {"tags": 1, "flag": 1, "steps": 0, "text": "aa", "anything": 1})
    assert [place for place, _, _ in found] == ["anything", "flag", "steps", "tags"]


def test_an_item_that_does_not_fit_has_its_number_in_the_place(server: Server) -> None:
    found = problems(server, {"tags": ["x", 3], "numbers": ["y"]})
    assert [place for place, _, _ in found] == ["numbers/0", "tags/1"]


@pytest.mark.parametrize("given", [[], "text", 3], ids=["list", "text", "number"])
def test_an_input_that_is_no_object_is_wrong_as_a_whole(server: Server, given: object) -> None:
    assert problems(server, given)[0][0] == "__root__"


def test_an_input_that_nobody_knows_is_dropped(server: Server) -> None:
    assert server.predict(text="a", unknown=1)["status"] == "succeeded"


def test_what_may_be_absent_and_is_absent_is_none(server: Server) -> None:
    assert server.predict()["output"] == "None"


def test_null_is_accepted_where_the_document_allows_it(server: Server) -> None:
    response = server.post(maybe=None)
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        pytest.param(b"{", JSON, 400, id="no JSON"),
        pytest.param(b"", JSON, 400, id="nothing"),
        pytest.param(b"\xff", JSON, 400, id="no UTF-8"),
        pytest.param(b"{}", {}, 415, id="no type"),
        pytest.param(b"{}", {"content-type": "text/plain"}, 415, id="another type"),
        pytest.param(b"[]", JSON, 422, id="no object"),
        pytest.param(b'{"id": 3}', JSON, 422, id="number as id"),
        pytest.param(b'{"context": {"a": 1}}', JSON, 422, id="number as context"),
        pytest.param(b'{"webhook": []}', JSON, 422, id="list as webhook"),
        pytest.param(b'{"webhook_events_filter": ["never"]}', JSON, 422, id="unknown event"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_in_plain_text(
    server: Server, body: bytes, headers: dict[str, str], status: int
) -> None:
    response = server.client.post("/predictions", content=body, headers=headers)
    assert response.status_code == status
    assert response.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    "content_type", ["Application/JSON", "application/json; charset=utf-8", "application/x+json"]
)
def test_json_has_several_names(server: Server, content_type: str) -> None:
    response = server.client.post(
        "/predictions", content=b"{}", headers={"content-type": content_type}
    )
    assert response.status_code == 200, response.text


def test_a_body_of_more_than_100_mib_is_refused(server: Server) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"input": {"text": "'
        for _ in range(101):
            yield b"x" * (1024 * 1024)

    response = server.client.post("/predictions", content=chunks(), headers=JSON)
    assert response.status_code == 413
