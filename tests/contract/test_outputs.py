"""Outputs: what the model returns, as JSON."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.conftest import Server
from support.serving import Serve

MODEL = """
import dataclasses, datetime, enum
from typing import Any
from cog import BaseModel, BasePredictor, Secret

class Colour(enum.Enum):
    RED = "red"

class Inner(BaseModel):
    n: int
    colour: Colour

@dataclasses.dataclass
class Plain:
    n: int

class Dumped:
    def model_dump(self):
        return {"dumped": 1}

class Old:
    def dict(self):
        return {"old": 1}

def generated():
    yield 1
    yield 2

class Predictor(BasePredictor):
    def predict(self, expression: str) -> Any:
        return eval(expression)
"""


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    return serve_module(MODEL)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param("None", None, id="none"),
        pytest.param("'é\\n'", "é\n", id="text"),
        pytest.param("[1, 1.5, True]", [1, 1.5, True], id="numbers"),
        pytest.param("(1, (2,))", [1, [2]], id="tuple"),
        pytest.param("{2}", [2], id="set"),
        pytest.param("frozenset()", [], id="empty frozenset"),
        pytest.param("{'b': 1, 'a': 2}", {"a": 2, "b": 1}, id="dict"),
        pytest.param("Colour.RED", "red", id="enumeration"),
        pytest.param("Inner(n=1, colour=Colour.RED)", {"n": 1, "colour": "red"}, id="model"),
        pytest.param("[Inner(n=1, colour=Colour.RED)]", [{"n": 1, "colour": "red"}], id="list"),
        pytest.param("Plain(n=1)", {"n": 1}, id="dataclass"),
        pytest.param("Dumped()", {"dumped": 1}, id="model_dump"),
        pytest.param("Old()", {"old": 1}, id="dict()"),
        pytest.param("generated()", [1, 2], id="generator"),
        pytest.param("datetime.date(2020, 1, 2)", "2020-01-02", id="date"),
        pytest.param("10**30", 10**30, id="large number"),
        pytest.param("Secret('hidden')", "**********", id="secret"),
        pytest.param("datetime.datetime(2020, 1, 2, 3)", "2020-01-02T03:00:00", id="datetime"),
    ],
)
def test_what_a_model_returns_is_turned_into_json(
    server: Server, expression: str, expected: Any
) -> None:
    answer = server.predict(expression=expression)
    assert {"output": expected}.items() <= answer.items()


@pytest.mark.parametrize("expression", ["object()", "b'raw'"])
def test_what_json_cannot_say_fails_the_prediction(server: Server, expression: str) -> None:
    failed = server.predict(expression=expression)
    assert failed["status"] == "failed"
    kind = type(eval(expression)).__name__
    message = f"TypeError: Object of type {kind} is not JSON serializable"
    assert failed["error"].endswith(message)


def test_a_number_that_json_cannot_say_fails_the_prediction(server: Server) -> None:
    assert server.predict(expression="[float('nan')]")["status"] == "failed"


ITERATORS = """
from typing import AsyncIterator, Iterator
from cog import AsyncConcatenateIterator, ConcatenateIterator

def iterated() -> Iterator[str]:
    yield from ("a", "b")

def concatenated() -> ConcatenateIterator[str]:
    yield from ("a", "b")

def failing() -> Iterator[str]:
    yield "a"
    raise ValueError("late")

async def iterated_asynchronously() -> AsyncIterator[str]:
    yield "a"
    yield "b"

async def concatenated_asynchronously() -> AsyncConcatenateIterator[str]:
    yield "a"
    yield "b"
"""


@pytest.mark.parametrize(
    "function",
    ["iterated", "concatenated", "iterated_asynchronously", "concatenated_asynchronously"],
)
def test_items_are_collected_into_a_list(serve: Serve, function: str) -> None:
    server = serve(ITERATORS, reference=f"predict.py:{function}")
    assert server.predict()["output"] == ["a", "b"]


def test_items_that_came_before_a_failure_are_not_in_the_answer(serve: Serve) -> None:
    answer = serve(ITERATORS, reference="predict.py:failing").predict()
    assert list(answer) == ["error", "id", "logs", "metrics", "status"]
    assert answer["error"].endswith("ValueError: late")


INPUTS = """
from typing import Any, List, Optional, TypedDict, Union
from cog import BasePredictor, Input, Secret

class Meta(TypedDict):
    author: str

class Predictor(BasePredictor):
    def predict(
        self,
        whole: int,
        real: float,
        flag: bool,
        token: Secret,
        tags: List[str],
        meta: Meta,
        anything: dict,
        either: Union[int, str],
        size: str = Input(choices=["s", "m"], default="m"),
        maybe: Optional[int] = None,
    ) -> str:
        hidden = str(token), token.get_secret_value()
        return repr((whole, real, flag, hidden, tags, meta, anything, either, size, maybe))
"""


def test_inputs_arrive_as_what_they_are_annotated_with(serve: Serve) -> None:
    given = {
        "whole": 3,
        "real": 2.5,
        "flag": True,
        "token": "t",
        "tags": ["a"],
        "meta": {"author": "x"},
        "anything": {"a": [1]},
        "either": "1",
    }
    hidden = "**********", "t"
    expected = (3, 2.5, True, hidden, ["a"], {"author": "x"}, {"a": [1]}, "1", "m", None)
    assert serve(INPUTS).predict(**given)["output"] == repr(expected)
