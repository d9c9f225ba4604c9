"""What happens when the model's process dies, hangs or breaks the protocol."""

from __future__ import annotations

import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cogn_runtime.front.process import describe_exit
from cogn_runtime.front.supervisor import restart_delay

if TYPE_CHECKING:
    from runtime.conftest import Serve

MODEL = """
import ctypes, os, pathlib, signal, subprocess, sys, time
from cog import BasePredictor

class Predictor(BasePredictor):
    def predict(self, how: str) -> str:
        print("last words", flush=True)
        match how:
            case "pid":
                return str(os.getpid())
            case "child":
                return str(subprocess.Popen(["sleep", "600"]).pid)
            case "exit":
                os._exit(7)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "segfault":
                ctypes.string_at(0)
            case "close":
                os.closerange(3, 100)
            case "write":
                for descriptor in range(3, 100):
                    try:
                        os.write(descriptor, b"\\0\\0\\0\\x02{}")
                    except OSError:
                        pass
            case "hang":
                # Holds the interpreter lock, so that no other thread can run.
                ctypes.PyDLL(None).pause()
        return how
"""


def is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "XZ"


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("exit", "it exited with code 7; its last output:\nlast words"),
        ("kill", "it was killed by SIGKILL, as happens when memory runs out; its last output:\n"),
        ("segfault", "it was killed by SIGSEGV; its last output:\n"),
        ("close", "it exited with code 1; its last output:\n"),
        ("write", "it broke the protocol: "),
    ],
)
def test_a_worker_that_dies_fails_its_prediction_and_is_replaced(
    serve: Serve, how: str, reason: str
) -> None:
    server = serve(MODEL)
    prediction = server.predict(how=how)
    assert prediction["status"] == "failed"
    assert prediction["error"].startswith(f"Worker crashed: {reason}")
    assert prediction["logs"].startswith("last words\n")
    health = server.health()
    assert health["status"] == "STARTING"
    assert health["setup"]["logs"].startswith("The worker died: it ")
    assert server.post(how="x").status_code == 503
    server.wait_for("READY")
    assert server.predict(how="fine")["output"] == "fine"


def test_a_worker_that_dies_between_predictions_is_replaced(serve: Serve) -> None:
    server = serve(MODEL)
    first = int(server.predict(how="pid")["output"])
    os.kill(first, signal.SIGTERM)
    server.wait(lambda: "killed by SIGTERM" in server.health()["setup"]["logs"])
    server.wait_for("READY")
    assert int(server.predict(how="pid")["output"]) != first


def test_processes_the_model_started_end_with_its_worker(serve: Serve) -> None:
    server = serve(MODEL)
    child = int(server.predict(how="child")["output"])
    assert is_running(child)
    server.predict(how="exit")
    server.wait(lambda: not is_running(child))


def test_the_worker_and_its_children_end_when_the_server_is_killed(serve: Serve) -> None:
    server = serve(MODEL)
    worker = int(server.predict(how="pid")["output"])
    child = int(server.predict(how="child")["output"])
    server.process.kill()
    server.wait(lambda: not is_running(worker) and not is_running(child))


def test_health_is_answered_while_the_model_hangs_in_c(serve: Serve) -> None:
    server = serve(MODEL)
    worker = int(server.predict(how="pid")["output"])
    with ThreadPoolExecutor() as pool:
        hanging = pool.submit(server.predict, how="hang")
        server.wait_for("BUSY")
        server.wait(lambda: "last words" in server.log())
        assert server.health()["status"] == "BUSY"
        os.kill(worker, signal.SIGKILL)
        assert "SIGKILL" in hanging.result()["error"]


def test_a_model_that_cannot_be_set_up_again_is_tried_again(serve: Serve, tmp_path: Path) -> None:
    source = """
    import os, pathlib
    from cog import BasePredictor

    class Predictor(BasePredictor):
        def setup(self):
            starts = pathlib.Path("starts")
            count = len(starts.read_text()) if starts.exists() else 0
            starts.write_text("x" * (count + 1))
            if count == 1:
                raise OSError("the second time fails")

        def predict(self, how: str) -> str:
            if how == "exit":
                os._exit(1)
            return how
    """
    server = serve(source)
    server.predict(how="exit")
    server.wait_for("SETUP_FAILED")
    assert "the second time fails" in server.health()["setup"]["logs"]
    server.wait_for("READY")
    assert server.predict(how="x")["output"] == "x"
    delays = [
        float(each) for each in re.findall(r"starting a new worker in ([\d.]+) s", server.log())
    ]
    assert delays == [0.5, 1.0]


def test_the_delay_doubles_up_to_half_a_minute() -> None:
    delays = [restart_delay(deaths) for deaths in range(1, 2000)]
    assert delays[:8] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert delays[-1] == 30


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "it exited with code 0"),
        (-signal.SIGABRT, "it was killed by SIGABRT"),
        (-200, "it was killed by signal 200"),
    ],
)
def test_an_exit_is_described_in_words(code: int, words: str) -> None:
    assert describe_exit(code) == words
