"""Asynchronous models, which make several predictions at once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from runtime.conftest import Serve, Server

MODEL = """
import asyncio, pathlib, time
import cog

class Predictor:
    async def setup(self) -> None:
        self.together = 0
        self.queue = asyncio.Queue()  # belongs to the loop of the predictions

    @cog.concurrent(max=3)
    async def run(self, name: str = "", wait: float = 0.0, fail: bool = False) -> dict:
        print("begin", name)
        self.together += 1
        try:
            await asyncio.sleep(wait)
            if fail:
                raise ValueError(name)
            await self.queue.put(name)
            cog.current_scope().record_metric("name", name)
            print("end", name)
            return {"name": await self.queue.get(), "together": self.together}
        finally:
            self.together -= 1
"""


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    return serve_module(MODEL)


def test_predictions_are_made_at_once_up_to_the_number_of_slots(server: Server) -> None:
    begin = time.monotonic()
    with ThreadPoolExecutor() as pool:
        running = [pool.submit(server.predict, name=name, wait=0.5) for name in "abc"]
        server.wait_for("BUSY")
        assert server.post(name="d").status_code == 409
        answers = [each.result() for each in running]
    assert time.monotonic() - begin < 1.3
    assert max(answer["output"]["together"] for answer in answers) == 3
    for name, answer in zip("abc", answers, strict=True):
        assert answer["logs"] == f"begin {name}\nend {name}\n"
        assert answer["metrics"]["name"] == name
    assert server.health()["status"] == "READY"


def test_one_that_fails_leaves_the_others_alone(server: Server) -> None:
    with ThreadPoolExecutor() as pool:
        good = pool.submit(server.predict, name="good", wait=0.3)
        bad = server.predict(name="bad", fail=True)
        assert good.result()["status"] == "succeeded"
    assert (bad["status"], bad["error"]) == ("failed", "ValueError: bad")
    assert bad["logs"].startswith("begin bad\nTraceback")


def test_one_is_canceled_and_the_others_go_on(server: Server) -> None:
    with ThreadPoolExecutor() as pool:
        body = {"id": "x", "input": {"name": "x", "wait": 60}}
        canceled = pool.submit(server.client.post, "/predictions", json=body)
        other = pool.submit(server.predict, name="y", wait=0.5)
        server.wait(lambda: "begin x" in server.log())
        assert server.client.post("/predictions/x/cancel").status_code == 200
        assert canceled.result().json()["status"] == "canceled"
        assert other.result()["status"] == "succeeded"


def test_a_worker_that_dies_fails_all_and_comes_back(serve: Serve) -> None:
    server = serve(MODEL.replace("raise ValueError(name)", "__import__('os')._exit(3)"))
    with ThreadPoolExecutor() as pool:
        first = pool.submit(server.predict, name="a", wait=30)
        server.wait(lambda: "begin a" in server.log())
        assert server.predict(fail=True)["error"].startswith(
            "Worker crashed: it exited with code 3"
        )
        assert first.result()["status"] == "failed"
    server.wait_for("READY")
    assert server.predict(name="again")["output"]["name"] == "again"


@pytest.mark.parametrize(
    "body",
    [
        "async def run(self) -> AsyncIterator[str]:\n        yield 'a'\n        yield 'b'",
        "async def run(self) -> Iterator[str]:\n        return iter(['a', 'b'])",
        "async def run(self) -> list[str]:\n        return ['a', 'b']",
    ],
)
def test_every_way_of_giving_items_asynchronously(serve: Serve, body: str) -> None:
    server = serve(f"from collections.abc import *\nimport cog\nclass Predictor:\n    {body}\n")
    assert server.predict()["output"] == ["a", "b"]


def test_files_that_are_yielded_are_read_before_the_next(serve: Serve) -> None:
    server = serve("""
        import cog
        from collections.abc import AsyncIterator
        class Predictor:
            async def run(self) -> AsyncIterator[cog.Path]:
                path = cog.Path("same.txt")
                for number in range(2):
                    path.write_text(str(number))
                    yield path
    """)
    assert server.predict()["output"] == [
        f"data:text/plain;base64,{code}" for code in ("MA==", "MQ==")
    ]


def test_an_ordinary_model_may_have_an_asynchronous_setup(serve: Serve) -> None:
    server = serve("""
        import asyncio
        class Predictor:
            async def setup(self) -> None:
                await asyncio.sleep(0)
                self.word = "ready"
            def run(self) -> str:
                return self.word
    """)
    assert server.predict()["output"] == "ready"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("2", "COG_MAX_CONCURRENCY is 2, and Predictor.run() is not asynchronous"),
        ("none", "COG_MAX_CONCURRENCY is no number from 1 on: 'none'"),
    ],
)
def test_more_slots_than_a_model_can_have_fail_its_setup(
    serve: Serve, value: str, reason: str
) -> None:
    source = "class Predictor:\n    def run(self) -> str: return ''\n"
    server = serve(source, until="SETUP_FAILED", environment={"COG_MAX_CONCURRENCY": value})
    assert reason in server.health()["setup"]["logs"]


def test_an_asynchronous_setup_that_fails_says_why(serve: Serve) -> None:
    source = """
        class Predictor:
            async def setup(self) -> None: raise OSError("no weights")
            async def run(self) -> str: return ""
    """
    server = serve(source, until="SETUP_FAILED")
    assert "OSError: no weights" in server.health()["setup"]["logs"]
