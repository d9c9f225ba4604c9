"""The servers that are measured: ours, Cog's own and LitServe, each with the same models."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cogn.resolver.document import read_document
from runtime.conftest import MODEL_PYTHON, RUNTIME, SERVER_SITE
from support.servers import free_port
from support.serving import COG, install

__all__ = ["OURS", "Kind", "Running", "kinds", "start"]

LITSERVE = "litserve==0.2.19"
OURS = ("cogn", "cogn, in line")
"""Our server as it is, and with a line for those who would be refused."""
_LONGEST_START = 60.0
_LONGEST_STOP = 10.0

MODELS = """
import asyncio
from typing import Any
import cog
from cog import BasePredictor, Path

class Hello(BasePredictor):
    def predict(self, text: str) -> str:
        return "hello " + text

class Json(BasePredictor):
    def predict(self, data: dict) -> int:
        return len(data["items"])

class Image(BasePredictor):
    def predict(self, image: Path) -> int:
        return len(image.read_bytes())

class Async(BasePredictor):
    @cog.concurrent(max=16)
    async def predict(self, text: str) -> str:
        await asyncio.sleep(0.01)
        return "hello " + text

class Stream(BasePredictor):
    @cog.streaming
    def run(self, count: int) -> cog.ConcatenateIterator[str]:
        for number in range(count):
            yield f"chunk {number}"
"""
"""What Cog's server and ours serve."""

LIT_MODELS = """
import asyncio, base64, os, sys
import litserve

class Hello(litserve.LitAPI):
    def setup(self, device): pass
    def decode_request(self, request): return request["input"]["text"]
    def predict(self, text): return "hello " + text
    def encode_response(self, output): return {"output": output, "status": "succeeded"}

class Json(Hello):
    def decode_request(self, request): return request["input"]["data"]
    def predict(self, data): return len(data["items"])

class Image(Hello):
    def decode_request(self, request):
        return base64.b64decode(request["input"]["image"].partition(",")[2])
    def predict(self, image): return len(image)

class Async(Hello):
    async def decode_request(self, request): return request["input"]["text"]
    async def predict(self, text):
        await asyncio.sleep(0.01)
        return "hello " + text
    async def encode_response(self, output): return {"output": output, "status": "succeeded"}

class Stream(Hello):
    def decode_request(self, request): return request["input"]["count"]
    def predict(self, count):
        for number in range(count):
            yield f"chunk {number}"
        yield '"status":"succeeded"'
    def encode_response(self, outputs):
        for output in outputs:
            yield f"data: {output}\\n\\n"

if __name__ == "__main__":
    name, port = sys.argv[1], int(sys.argv[2])
    options = {"Async": {"enable_async": True}, "Stream": {"stream": True}}
    api = globals()[name](**options.get(name, {}))
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, timeout=False)
    server.run(host="127.0.0.1", port=port, generate_client_file=False, log_level="error")
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """A server to measure: its name, its interpreter, and where predictions are asked for."""

    name: str
    python: Path
    path: str = "/predictions"
    health: str = "/health-check"
    sign: bytes = b'"status":"READY"'
    """What the answer of `health` has when the model is ready."""
    environment: dict[str, str] = field(default_factory=dict)


def kinds(work: Path, *, peers: bool) -> list[Kind]:
    """Return the servers, ours first; the peers are installed into `work` once."""
    site = work / "site"
    site.mkdir(exist_ok=True)
    with suppress(FileExistsError):
        (site / "cog").symlink_to(RUNTIME / "cog")
    ours = {"COGN_SERVER": SERVER_SITE, "PYTHONPATH": str(site)}
    environments = (ours, ours | {"COGN_QUEUE_SIZE": "64"})
    found = [
        Kind(name, Path(MODEL_PYTHON), environment=environment)
        for name, environment in zip(OURS, environments, strict=True)
    ]
    if peers:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        for name in (COG, LITSERVE):
            if not (work / name / "bin/python").exists():
                install(work / name, name, python=version)
        found.append(Kind(COG, work / COG / "bin/python"))
        lit = work / LITSERVE / "bin/python"
        found.append(Kind(LITSERVE, lit, path="/predict", health="/health", sign=b"ok"))
    return found


@dataclass(frozen=True, slots=True)
class Running:
    """A server whose model is ready, `start` seconds after its process began."""

    process: subprocess.Popen[bytes]
    port: int
    start: float

    def memory(self) -> float:
        """Return the memory of all its processes in MB, shared pages counted once."""
        return sum(_proportional(pid) for pid in _group(self.process.pid)) / 1000

    def stop(self) -> None:
        """End all its processes, in an orderly way if it can."""
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_LONGEST_STOP)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def start(kind: Kind, model: str, work: Path) -> Running:
    """Start a server for one of the models; ends the benchmark when it does not get ready."""
    directory = work / "models" / kind.name / model
    (directory / ".cog").mkdir(parents=True, exist_ok=True)
    port = free_port()
    if kind.name == LITSERVE:
        (directory / "server.py").write_text(LIT_MODELS)
        command = [str(kind.python), "server.py", model, str(port)]
    else:
        (directory / "predict.py").write_text(MODELS)
        reference = f"predict.py:{model}"
        document = read_document(directory, reference, version="0")
        (directory / ".cog/openapi_schema.json").write_text(json.dumps(document))
        command = [str(kind.python), "-m", "cog.server.http", "--host", "127.0.0.1"]
    environment = {
        "PATH": os.pathsep.join([str(kind.python.parent), os.environ["PATH"]]),
        "TMPDIR": str(work),
        "PORT": str(port),
        "COG_PREDICT_TYPE_STUB": f"predict.py:{model}",
        "COG_LOG_LEVEL": "error",
        "COG_MAX_CONCURRENCY": "16" if model == "Async" else "1",
        **kind.environment,
    }
    begin = time.perf_counter()
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=directory, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    url = f"http://127.0.0.1:{port}{kind.health}"
    while not _is_ready(url, kind.sign):
        if process.poll() is not None or time.perf_counter() - begin > _LONGEST_START:
            Running(process, port, 0.0).stop()
            sys.exit(f"{kind.name} does not start:\n{(directory / 'log').read_text('utf-8')}")
        time.sleep(0.002)
    return Running(process, port, time.perf_counter() - begin)


def _is_ready(url: str, sign: bytes) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return sign in response.read()
    except (urllib.error.URLError, OSError):
        return False


def _group(leader: int) -> list[int]:
    """Return the processes of a group."""
    found = []
    for path in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            fields = (path / "stat").read_text("utf-8").rpartition(")")[2].split()
            if path.name.isdecimal() and int(fields[2]) == leader:
                found.append(int(path.name))
    return found


def _proportional(pid: int) -> int:
    """Return the kB of a process, pages that it shares divided by those who share them."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0
