"""What happens when the model's process dies, hangs or breaks the protocol."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cogn_runtime.front.memory import MemoryLimit
from cogn_runtime.front.process import describe_exit
from cogn_runtime.front.restarts import Restarts

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


def test_when_workers_die_too_often_in_a_row_no_other_is_started(serve: Serve) -> None:
    server = serve(MODEL, environment={"COGN_MAX_RESTARTS": "1"})
    server.predict(how="exit")
    server.wait_for("READY")
    assert server.predict(how="fine")["output"] == "fine"  # the count begins anew
    server.predict(how="exit")
    server.wait_for("READY")
    server.predict(how="exit")
    server.wait_for("DEFUNCT")
    setup = server.health()["setup"]
    assert setup["status"] == "failed"
    assert setup["logs"] == (
        "The worker died: it exited with code 7\n"
        "the limit of 1 restarts in a row is reached; no other worker is started\n"
    )
    for probe in ("/livez", "/readyz"):
        answer = server.client.get(probe)
        assert (answer.status_code, answer.text) == (503, "DEFUNCT\n")
    assert server.post(how="fine").status_code == 503
    server.process.terminate()
    assert server.process.wait(10) == 0


def test_who_waits_in_line_fails_when_no_other_worker_is_started(serve: Serve) -> None:
    server = serve(MODEL, environment={"COGN_MAX_RESTARTS": "0", "COGN_QUEUE_SIZE": "2"})
    worker = int(server.predict(how="pid")["output"])
    body, headers = {"input": {"how": "hang"}}, {"prefer": "respond-async"}
    assert server.client.put("/predictions/a", json=body, headers=headers).status_code == 202
    server.wait(lambda: "last words" in server.log())
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(server.predict, how="fine")
        server.wait(lambda: "cogn_queue_length 1.0" in server.client.get("/metrics").text)
        os.kill(worker, signal.SIGKILL)
        assert waiting.result()["error"] == "the worker died before the prediction began"


@pytest.fixture
def limited_group() -> Iterator[Path]:
    """A control group of the machine with a limit of 200 MiB of memory."""
    group = Path(f"/sys/fs/cgroup/memory/cogn-test-{os.getpid()}")
    limit = group / "memory.limit_in_bytes"
    if not group.parent.exists():
        group, limit = Path("/sys/fs/cgroup") / group.name, Path("memory.max")
        limit = group / limit
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        if not limit.exists():
            pytest.skip("control groups do not limit memory here")
        limit.write_text(str(200 << 20))
        yield group
    finally:
        for _ in range(100):
            try:
                group.rmdir()
                break
            except OSError:  # its last process is still on its way out
                time.sleep(0.1)


def test_a_worker_that_reaches_the_memory_limit_says_so(serve: Serve, limited_group: Path) -> None:
    source = """
    def run(mebibytes: int) -> int:
        print("taking", mebibytes)
        taken = bytearray(mebibytes << 20)
        taken[::4096] = b"x" * len(taken[::4096])
        return len(taken)
    """
    join = f'echo $$ >{limited_group}/cgroup.procs; exec "$@"'
    server = serve(source, reference="predict.py:run", before=["sh", "-c", join, "sh"])
    assert server.predict(mebibytes=1)["output"] == 1 << 20
    assert server.predict(mebibytes=800)["error"] == (
        "Worker crashed: it was killed by SIGKILL: the memory limit of 200 MiB was reached; "
        "its last output:\ntaking 800"
    )
    server.wait_for("READY")
    assert server.predict(mebibytes=1)["output"] == 1 << 20
    server.end()


def test_the_kernel_says_when_the_memory_limit_ended_the_worker(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/model\n")
    group = tmp_path / "sys/fs/cgroup/model"
    group.mkdir(parents=True)
    (group / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    (group / "memory.max").write_text("536870912\n")
    memory = MemoryLimit(tmp_path)
    assert not memory.was_hit()
    (group / "memory.events").write_text("low 0\noom 3\noom_kill 2\n")
    assert memory.was_hit()
    assert not memory.was_hit()
    words = "it was killed by SIGKILL: the memory limit of 512 MiB was reached"
    assert describe_exit(-signal.SIGKILL, memory.describe()) == words
    (group / "memory.max").write_text("max\n")
    assert memory.describe() == "memory ran out"


def test_the_first_version_of_control_groups_is_read_too(tmp_path: Path) -> None:
    group = tmp_path / "sys/fs/cgroup/memory"
    group.mkdir(parents=True)
    (group / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 0\n")
    (group / "memory.limit_in_bytes").write_text("1048576\n")
    memory = MemoryLimit(tmp_path)
    (group / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
    assert memory.was_hit()
    assert memory.describe() == "the memory limit of 1 MiB was reached"


def test_the_delay_doubles_up_to_half_a_minute() -> None:
    restarts = Restarts(limit=None)
    delays = [restarts.next_delay() for _ in range(2000)]
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
