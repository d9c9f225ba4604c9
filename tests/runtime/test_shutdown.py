"""How the server ends."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from runtime.conftest import Serve

MODEL = """
import atexit, pathlib, time
from cog import BasePredictor

class Predictor(BasePredictor):
    def setup(self):
        atexit.register(pathlib.Path("ended").touch)
        while pathlib.Path("wait").exists():
            time.sleep(0.01)

    def predict(self, until: str) -> str:
        while not pathlib.Path(until).exists():
            time.sleep(0.01)
        return "done"
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_idle_server_with_status_zero(
    serve: Serve, tmp_path: Path, number: signal.Signals
) -> None:
    server = serve(MODEL)
    server.process.send_signal(number)
    assert server.process.wait(10) == 0
    assert (tmp_path / "model0" / "ended").exists()


def test_a_prediction_in_flight_is_answered_before_the_server_ends(
    serve: Serve, tmp_path: Path
) -> None:
    server = serve(MODEL)
    go = tmp_path / "go"
    with ThreadPoolExecutor() as pool:
        prediction = pool.submit(server.predict, until=str(go))
        server.wait_for("BUSY")
        server.process.terminate()
        server.wait(lambda: "waiting for those being served" in server.log())
        server.wait(lambda: not accepts(str(server.client.base_url)))
        go.touch()
        assert prediction.result()["output"] == "done"
    assert server.process.wait(10) == 0


def test_a_second_signal_does_not_wait_for_the_prediction(serve: Serve) -> None:
    server = serve(MODEL)
    with ThreadPoolExecutor() as pool:
        prediction = pool.submit(server.predict, until="/nowhere")
        server.wait_for("BUSY")
        server.process.terminate()
        server.wait(lambda: "waiting for those being served" in server.log())
        server.process.terminate()
        assert server.process.wait(10) == 0
        assert prediction.result()["error"] == "the server ended before the prediction did"


def test_a_signal_during_setup_ends_the_server_at_once(serve: Serve) -> None:
    server = serve(MODEL, files={"wait": ""}, until="STARTING")
    server.process.terminate()
    assert server.process.wait(4) == 0


def test_a_request_ends_the_server(serve: Serve) -> None:
    server = serve(MODEL)
    response = server.client.post("/shutdown")
    assert (response.status_code, response.json()) == (200, {})
    assert server.process.wait(10) == 0


def test_sigterm_is_ignored_when_an_explicit_shutdown_is_awaited(serve: Serve) -> None:
    server = serve(MODEL, "--await-explicit-shutdown", "true")
    server.process.terminate()
    server.wait(lambda: "ignoring SIGTERM" in server.log())
    assert server.health()["status"] == "READY"
    server.client.post("/shutdown")
    assert server.process.wait(10) == 0


def accepts(url: str) -> bool:
    try:
        httpx.get(url)
    except httpx.ConnectError:
        return False
    return True
