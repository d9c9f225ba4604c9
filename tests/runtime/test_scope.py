"""`cog.current_scope()`: the context of a prediction and its metrics."""

from __future__ import annotations

import threading

import pytest

import cog
from runtime.conftest import Serve

MODEL = """
import threading
import cog

class Predictor(cog.BaseRunner):
    def run(self) -> dict:
        scope = self.scope
        self.record_metric("tokens.in", 3)
        scope.metrics.record("tokens.out", 1, mode="incr")
        scope.metrics.record("tokens.out", 2.5, mode="increment")
        scope.metrics.record("steps", "a", mode="append")
        scope.metrics.record("steps", "b", mode="append")
        scope.metrics["gone"] = 1
        scope.metrics.delete("gone")
        thread = threading.Thread(target=lambda: cog.current_scope().record_metric("thread", True))
        thread.start()
        thread.join()
        return dict(scope.context)
"""


def test_metrics_and_context_are_the_predictions(serve: Serve) -> None:
    server = serve(MODEL)
    answer = server.client.post("/predictions", json={"context": {"user": "ada"}}).json()
    assert answer["output"] == {"user": "ada"}
    assert answer["metrics"].pop("predict_time") > 0
    assert answer["metrics"] == {
        "steps": ["a", "b"],
        "thread": True,
        "tokens": {"in": 3, "out": 3.5},
    }
    again = server.predict()
    assert (again["output"], again["metrics"]["tokens"]["out"]) == ({}, 3.5)


@pytest.mark.parametrize(
    "name",
    ["", "1a", "a__b", "a.", ".a", "a..b", "a.b.c.d.e", "a-b", "x" * 129, "predict_time", "cog.x"],
)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="metric"):
        cog.current_scope().record_metric(name, 1)


def test_what_cannot_be_added_is_refused() -> None:
    with pytest.raises(TypeError, match="only a number"):
        cog.current_scope().record_metric("a", "b", mode="increment")
    with pytest.raises(ValueError, match="is no mode"):
        cog.current_scope().record_metric("a", 1, mode="twice")  # type: ignore[arg-type]


def test_outside_of_a_prediction_metrics_go_nowhere() -> None:
    cog.current_scope().record_metric("a.b", 1)
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(cog.current_scope()))
    thread.start()
    thread.join()
    assert found == [cog.current_scope()]
