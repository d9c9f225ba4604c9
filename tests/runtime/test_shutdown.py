"""How the server ends."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from runtime.conftest import Serve
    from runtime.receiver import Receiver

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
        server.wait_for("DEFUNCT")
        ready = server.client.get("/readyz")
        assert (ready.status_code, ready.text) == (503, "DEFUNCT\n")
        assert server.client.get("/livez").status_code == 200
        refused = server.post(until=str(go))
        assert refused.status_code == 503
        assert refused.json()["error"] == "The server is about to end and takes nothing new."
        go.touch()
        assert prediction.result()["output"] == "done"
    assert server.process.wait(10) == 0
    assert (tmp_path / "model0" / "ended").exists()


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


TEARING = """
import os, pathlib, time

class Predictor:
    def run(self, until: str = "") -> str:
        while until and not pathlib.Path(until).exists():
            time.sleep(0.01)
        return str(os.getpid())

    {teardown}
"""


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_the_model_is_torn_down_when_the_server_ends(
    serve: Serve, tmp_path: Path, kind: str
) -> None:
    teardown = f"{kind} teardown(self):\n        print('bye'); pathlib.Path('torn').touch()"
    server = serve(TEARING.format(teardown=teardown))
    server.predict()
    server.process.terminate()
    assert server.process.wait(10) == 0
    assert (tmp_path / "model0" / "torn").exists()
    assert '"logger":"cogn.model","message":"bye"' in server.log()


def test_an_asynchronous_model_is_torn_down_in_its_event_loop(serve: Serve, tmp_path: Path) -> None:
    source = """
    import asyncio, pathlib

    class Predictor:
        async def setup(self):
            self.loop = asyncio.get_running_loop()

        async def run(self) -> str:
            return "x"

        async def teardown(self):
            assert asyncio.get_running_loop() is self.loop
            pathlib.Path("torn").touch()
    """
    server = serve(source)
    server.process.terminate()
    assert server.process.wait(10) == 0
    assert (tmp_path / "model0" / "torn").exists()


@pytest.mark.parametrize(
    "fault", ["time.sleep(600)", "raise ValueError('late')", "print('x' * 10_000_000)"]
)
def test_a_teardown_that_fails_or_takes_too_long_does_not_keep_the_server(
    serve: Serve, fault: str
) -> None:
    teardown = f"def teardown(self): {fault}"
    limit = {"COGN_TEARDOWN_TIMEOUT": "1"} if "sleep" in fault else {}
    server = serve(TEARING.format(teardown=teardown), environment=limit)
    worker = int(server.predict()["output"])
    server.process.terminate()
    assert server.process.wait(10) == 0
    server.wait(lambda: not Path(f"/proc/{worker}").exists())
    assert ("ValueError: late" in server.log()) == ("late" in fault)


def test_predictions_that_take_longer_than_the_drain_may_fail_and_that_is_told(
    serve: Serve, receiver: Receiver
) -> None:
    environment = {"COGN_DRAIN_TIMEOUT": "1", "COGN_QUEUE_SIZE": "2"}
    server = serve(TEARING.format(teardown=""), environment=environment)
    body = {
        "input": {"until": "/nowhere"},
        "webhook": receiver.url,
        "webhook_events_filter": ["completed"],
    }
    headers = {"prefer": "respond-async"}
    for id_ in ("first", "in-line"):
        answer = server.client.put(f"/predictions/{id_}", json=body, headers=headers)
        assert answer.status_code == 202
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(server.predict, until="/nowhere")
        server.wait(lambda: "cogn_queue_length 2.0" in server.client.get("/metrics").text)
        server.process.terminate()
        error = "the server ended before the prediction did, which had 1 s"
        assert waiting.result()["error"] == error
    assert server.process.wait(20) == 0
    told = {body["id"]: (body["status"], body["error"]) for _, body in receiver.told}
    assert told == {"first": ("failed", error), "in-line": ("failed", error)}


def test_predictions_in_line_are_made_before_the_server_ends(serve: Serve, tmp_path: Path) -> None:
    server = serve(TEARING.format(teardown=""), environment={"COGN_QUEUE_SIZE": "2"})
    go = tmp_path / "go"
    with ThreadPoolExecutor() as pool:
        answers = [pool.submit(server.predict, until=str(go)) for _ in range(3)]
        server.wait(lambda: "cogn_queue_length 2.0" in server.client.get("/metrics").text)
        server.process.terminate()
        server.wait_for("DEFUNCT")
        go.touch()
        assert [each.result()["status"] for each in answers] == ["succeeded"] * 3
    assert server.process.wait(10) == 0


def test_as_the_first_process_of_a_container_the_server_ends_and_leaves_no_zombies(
    serve: Serve, tmp_path: Path
) -> None:
    source = """
    import os, pathlib, subprocess, time

    class Predictor:
        def run(self) -> str:
            # A grandchild whose parent ends: it becomes the first process's child.
            subprocess.run(["sh", "-c", "sleep 0.3 & echo $! >orphan"], check=True)
            return f"{os.getppid()}"
    """
    try:
        server = serve(
            source, before=["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
        )
    except AssertionError as error:
        if "unshare" in str(error):
            pytest.skip("namespaces of processes are not allowed here")
        raise
    assert server.predict()["output"] == "1"
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    first = int(children.read_text())
    orphans = Path(f"/proc/{first}/task/{first}/children")
    assert len(orphans.read_text().split()) == 2  # the worker and the orphan
    server.wait(lambda: len(orphans.read_text().split()) == 1)
    os.kill(first, signal.SIGTERM)
    assert server.process.wait(10) == 0
