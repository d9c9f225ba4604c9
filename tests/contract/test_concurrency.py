"""Asynchronous models, which make several predictions at once."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from runtime.conftest import Server
from support.serving import Serve

MODEL = """
import asyncio, pathlib
import cog

class Predictor:
    async def setup(self) -> None:
        self.queue = asyncio.Queue()  # belongs to the loop of the predictions

    @cog.concurrent(max=3)
    async def run(self, name: str, until: str = "", fail: bool = False) -> str:
        print("begin", name)
        while until and not pathlib.Path(until).exists():
            await asyncio.sleep(0.01)
        if fail:
            raise ValueError(name)
        cog.current_scope().record_metric("name", name)
        await self.queue.put(name)
        print("end", name)
        return await self.queue.get()
"""


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    # An image that Cog builds says it twice: the mark is read when it is built.
    return serve_module(MODEL, environment={"COG_MAX_CONCURRENCY": "3"})


def begin(server: Server, pool: ThreadPoolExecutor, names: str, until: Path) -> list[Future[Any]]:
    """Ask for several predictions at once; return what their answers will be."""
    ask = lambda name: server.post(name=name, until=str(until)).json()  # noqa: E731
    return [pool.submit(ask, name) for name in names]


def test_as_many_as_there_are_slots_are_made_at_once(server: Server, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        answers = begin(server, pool, "abc", tmp_path / "go")
        server.wait_for("BUSY")
        refused = server.post(name="d")
        (tmp_path / "go").touch()
        made = [each.result() for each in answers]
    assert refused.status_code == 409
    assert [each["status"] for each in made] == ["succeeded"] * 3


def test_each_has_its_own_logs_and_metrics(server: Server, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        answers = begin(server, pool, "abc", tmp_path / "go")
        server.wait_for("BUSY")
        (tmp_path / "go").touch()
        made = [each.result() for each in answers]
    assert [each["logs"] for each in made] == [f"begin {name}\nend {name}\n" for name in "abc"]
    assert [each["metrics"]["name"] for each in made] == list("abc")


def test_one_that_fails_leaves_the_others_alone(server: Server, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        (good,) = begin(server, pool, "a", tmp_path / "go")
        bad = server.predict(name="bad", fail=True)
        (tmp_path / "go").touch()
        assert good.result()["status"] == "succeeded"
    assert bad["status"] == "failed"
    assert bad["error"].endswith("ValueError: bad")


def test_one_is_canceled_and_the_others_go_on(server: Server, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        body = {"id": "x", "input": {"name": "x", "until": "/nowhere"}}
        canceled = pool.submit(lambda: server.client.post("/predictions", json=body).json())
        (other,) = begin(server, pool, "y", tmp_path / "go")
        server.wait(lambda: bool(server.client.put("/predictions/x", json={}).json().get("logs")))
        assert server.client.post("/predictions/x/cancel").status_code == 200
        assert canceled.result()["status"] == "canceled"
        (tmp_path / "go").touch()
        assert other.result()["status"] == "succeeded"


def test_the_environment_says_how_many_before_the_model_does(serve: Serve, tmp_path: Path) -> None:
    server = serve(MODEL, environment={"COG_MAX_CONCURRENCY": "2"})
    with ThreadPoolExecutor() as pool:
        answers = begin(server, pool, "ab", tmp_path / "go")
        server.wait_for("BUSY")
        assert server.post(name="c").status_code == 409
        (tmp_path / "go").touch()
        assert [each.result()["status"] for each in answers] == ["succeeded"] * 2


def test_a_model_that_is_not_asynchronous_makes_one_at_a_time(serve: Serve) -> None:
    source = "class Predictor:\n    def run(self) -> str: return ''\n"
    server = serve(source, until="SETUP_FAILED", environment={"COG_MAX_CONCURRENCY": "2"})
    assert server.health()["setup"]["logs"]
