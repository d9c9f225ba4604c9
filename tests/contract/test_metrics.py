"""Metrics that the model records for its prediction."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.conftest import Server
from support.serving import Serve

MODEL = """
import cog
from cog import BasePredictor

class Predictor(BasePredictor):
    def setup(self) -> None:
        cog.current_scope().record_metric("outside", 1)

    def predict(self, steps: list[dict] = []) -> str:
        scope = cog.current_scope()
        for step in steps:
            if "delete" in step:
                scope.metrics.delete(step["delete"])
            elif "mode" in step:
                scope.record_metric(step["name"], step["value"], mode=step["mode"])
            else:
                scope.metrics[step["name"]] = step["value"]
        return "done"

class Own(BasePredictor):
    def predict(self) -> str:
        self.record_metric("a", 1)
        self.scope.record_metric("b", 2)
        return "done"
"""


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    return serve_module(MODEL)


def metrics(server: Server, *steps: dict[str, Any]) -> dict[str, Any]:
    recorded: dict[str, Any] = server.predict(steps=steps)["metrics"]
    del recorded["predict_time"]
    return recorded


def step(name: str, value: object, mode: str) -> dict[str, Any]:
    return {"name": name, "value": value, "mode": mode}


def test_metrics_are_in_the_answer(server: Server) -> None:
    assert metrics(server, {"name": "a", "value": 1.5}, {"name": "b", "value": "x"}) == {
        "a": 1.5,
        "b": "x",
    }


def test_none_are_there_that_were_not_recorded(server: Server) -> None:
    assert metrics(server) == {}


@pytest.mark.parametrize("mode", ["increment", "incr"])
def test_a_metric_can_be_counted_up(server: Server, mode: str) -> None:
    assert metrics(server, step("a", 1, mode), step("a", 2, mode)) == {"a": 3}


def test_a_metric_can_be_replaced(server: Server) -> None:
    assert metrics(server, step("a", 1, "replace"), step("a", 2, "replace")) == {"a": 2}


def test_a_metric_can_be_a_list_that_grows(server: Server) -> None:
    assert metrics(server, step("a", 1, "append"), step("a", 2, "append")) == {"a": [1, 2]}


def test_a_metric_can_be_deleted(server: Server) -> None:
    assert metrics(server, step("a", 1, "replace"), {"delete": "a"}) == {}


def test_a_metric_that_was_deleted_may_be_of_another_type(server: Server) -> None:
    steps = step("a", 1, "replace"), {"delete": "a"}, step("a", "x", "replace")
    assert metrics(server, *steps) == {"a": "x"}


def test_a_metric_may_become_another_type(server: Server) -> None:
    assert metrics(server, step("a", 1, "replace"), step("a", "x", "replace")) == {"a": "x"}


def test_a_metric_with_a_value_becomes_a_list_that_begins_with_it(server: Server) -> None:
    assert metrics(server, step("a", 1, "replace"), step("a", 2, "append")) == {"a": [1, 2]}


@pytest.mark.parametrize("value", ["x", True], ids=["text", "boolean"])
def test_only_numbers_can_be_counted_up(server: Server, value: object) -> None:
    answer = server.predict(steps=[step("a", value, "increment")])
    assert answer["status"] == "failed"
    assert "TypeError: " in answer["error"]


def test_dots_in_a_name_make_objects(server: Server) -> None:
    steps = step("a.b.c", 1, "replace"), step("a.d", 2, "replace")
    assert metrics(server, *steps) == {"a": {"b": {"c": 1}, "d": 2}}


@pytest.mark.parametrize(
    "name",
    [
        *("", "1a", "_a", "a__b", "a_", ".a", "a.", "a..b", "a.b.c.d.e", "a" * 129),
        *("predict_time", "cog.a", "a b", "é"),
    ],
)
def test_a_name_that_breaks_a_rule_is_refused(server: Server, name: str) -> None:
    answer = server.predict(steps=[{"name": name, "value": 1}])
    assert answer["status"] == "failed"
    assert "ValueError" in answer["error"]


def test_the_model_has_the_scope_too(serve: Serve) -> None:
    server = serve(MODEL, reference="predict.py:Own")
    recorded = server.predict()["metrics"]
    assert (recorded["a"], recorded["b"]) == (1, 2)
