"""A model's own `healthcheck()`."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runtime.conftest import Serve

MODEL = """
import asyncio, pathlib, time

class Predictor:
    {prefix}def run(self, wait: float = 0.0) -> str:
        {sleep}
        return ""

    {check_prefix}def healthcheck(self) -> bool:
        said = pathlib.Path("said").read_text() if pathlib.Path("said").exists() else "yes"
        if said == "raise": raise OSError("the GPU is gone")
        if said == "hang": time.sleep(30)
        return said == "yes"
"""


def model(kind: str) -> str:
    is_async = kind.startswith("async")
    return MODEL.format(
        prefix="async " if is_async else "",
        sleep="await asyncio.sleep(wait)" if is_async else "time.sleep(wait)",
        check_prefix="async " if kind.endswith("async") else "",
    )


@pytest.mark.parametrize("kind", ["plain", "plain with async", "async with plain", "async"])
def test_what_it_says_is_in_the_health_and_the_probe(
    serve: Serve, tmp_path: Path, kind: str
) -> None:
    server = serve(model(kind))
    said = tmp_path / "model0" / "said"
    assert "user_healthcheck_error" not in server.health()
    said.write_text("no")
    health = server.health()
    assert health["status"] == "UNHEALTHY"
    assert health["user_healthcheck_error"] == (
        "Healthcheck failed: user-defined healthcheck returned False"
    )
    assert server.client.get("/readyz").status_code == 503
    said.write_text("raise")
    assert server.health()["user_healthcheck_error"] == "OSError: the GPU is gone"
    said.write_text("yes")
    with ThreadPoolExecutor() as pool:
        running = pool.submit(server.predict, wait=0.5)
        server.wait_for("BUSY")
        assert running.result()["status"] == "succeeded"


def test_one_that_hangs_is_given_up_on(serve: Serve, tmp_path: Path) -> None:
    server = serve(model("plain"))
    (tmp_path / "model0" / "said").write_text("hang")
    begin = time.monotonic()
    with ThreadPoolExecutor() as pool:
        answers = [pool.submit(server.health) for _ in range(3)]
        errors = {answer.result()["user_healthcheck_error"] for answer in answers}
    assert errors == {"Healthcheck failed: user-defined healthcheck timed out after 5.0 seconds"}
    assert time.monotonic() - begin < 9
    assert server.predict()["status"] == "succeeded"


def test_a_worker_that_is_stopped_keeps_nobody_waiting_twice(serve: Serve) -> None:
    source = model("plain").replace('return ""', "return str(__import__('os').getpid())")
    server = serve(source)
    worker = int(server.predict()["output"])
    os.kill(worker, signal.SIGSTOP)
    assert server.client.get("/metrics").status_code == 200
    assert "timed out" in server.health()["user_healthcheck_error"]
    begin = time.monotonic()
    for _ in range(20):
        assert server.health()["status"] == "UNHEALTHY"
        assert server.client.get("/metrics").status_code == 200
        assert server.client.get("/readyz").status_code == 503
    assert time.monotonic() - begin < 4
    os.kill(worker, signal.SIGCONT)
    server.wait_for("READY")
    assert server.predict()["output"] == str(worker)
