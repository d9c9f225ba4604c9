"""The end of the server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from runtime.conftest import Server
from support.receivers import Receiver
from support.serving import Serve

MODEL = """
import pathlib, time
from cog import BasePredictor

class Predictor(BasePredictor):
    def predict(self, until: str = "") -> str:
        while until and not pathlib.Path(until).exists():
            time.sleep(0.01)
        return "done"
"""


def is_ending(server: Server) -> bool:
    """Whether the server takes nothing new; it may answer that or nothing."""
    with suppress(httpx.TransportError), httpx.Client() as client:
        answer = client.post(server.client.base_url.join("/predictions"), json={"input": 1})
        return answer.status_code == 503
    return True


def test_sigterm_ends_an_idle_server_well(serve: Serve) -> None:
    server = serve(MODEL)
    server.process.terminate()
    assert server.process.wait(10) == 0


def test_a_request_ends_the_server_well(serve: Serve) -> None:
    server = serve(MODEL)
    answer = server.client.post("/shutdown")
    assert (answer.status_code, answer.json()) == (200, {})
    assert server.process.wait(10) == 0


@pytest.mark.parametrize("how", ["signal", "request"])
def test_what_somebody_waits_for_is_answered_first(serve: Serve, tmp_path: Path, how: str) -> None:
    server = serve(MODEL)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(server.post, until=str(tmp_path / "go"))
        server.wait_for("BUSY")
        if how == "signal":
            server.process.terminate()
        else:
            server.client.post("/shutdown")
        server.wait(lambda: is_ending(server))
        (tmp_path / "go").touch()
        assert answer.result().json()["output"] == "done"
    assert server.process.wait(10) == 0


def test_what_nobody_waits_for_is_made_first_and_its_end_told(
    serve: Serve, tmp_path: Path, receiver: Receiver
) -> None:
    server = serve(MODEL)
    body = {
        "input": {"until": str(tmp_path / "go")},
        "webhook": receiver.url,
        "webhook_events_filter": ["completed"],
    }
    server.client.post("/predictions", json=body, headers={"prefer": "respond-async"})
    server.wait_for("BUSY")
    server.process.terminate()
    server.wait(lambda: is_ending(server))
    (tmp_path / "go").touch()
    server.process.wait(10)
    assert [told["output"] for told in receiver.told] == ["done"]


def test_probes_are_answered_until_the_end(serve: Serve, tmp_path: Path) -> None:
    server = serve(MODEL)
    body = {"input": {"until": str(tmp_path / "go")}}
    server.client.post("/predictions", json=body, headers={"prefer": "respond-async"})
    server.wait_for("BUSY")
    server.process.terminate()
    server.wait(lambda: is_ending(server))
    status = ""
    with suppress(httpx.TransportError):
        status = server.health()["status"]
    (tmp_path / "go").touch()
    server.process.wait(10)
    assert status == "DEFUNCT"


def test_sigterm_while_the_model_is_set_up_ends_the_server_at_once(serve: Serve) -> None:
    server = serve("import time\ntime.sleep(600)\n" + MODEL, until="STARTING")
    server.process.terminate()
    server.process.wait(4)


def test_sigterm_is_ignored_by_who_awaits_the_request(serve: Serve) -> None:
    server = serve(MODEL, "--await-explicit-shutdown", "true")
    for _ in range(2):
        server.process.terminate()
        assert server.predict()["output"] == "done"
    server.client.post("/shutdown")
    assert server.process.wait(10) == 0
