"""Starts real servers for models that the tests write."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

import cog
from runtime.receiver import Receiver, receiving

RUNTIME = Path(cog.__file__).parents[1]
SERVER_SITE = os.pathsep.join([str(Path(anyio.__file__).parents[1]), str(RUNTIME)])

# The model's environment: an interpreter without the packages of this one, and `cog` alone.
MODEL_PYTHON = getattr(sys, "_base_executable", sys.executable)

Serve = Callable[..., "Server"]


class Server:
    """A server in a process of its own, for the model in `directory`."""

    def __init__(
        self,
        directory: Path,
        environment: dict[str, str],
        arguments: list[str],
        before: Sequence[str] = (),
    ) -> None:
        self._stderr = directory / "stderr.log"
        with self._stderr.open("wb") as stderr:
            self.process = subprocess.Popen(
                [*before, MODEL_PYTHON, "-m", "cog.server.http", "--host", "127.0.0.1", *arguments],
                cwd=directory,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
        self.client = httpx.Client(timeout=30)

    def connect(self) -> None:
        """Wait until the port is open."""
        self.wait(lambda: "listening" in self.log() or self.process.poll() is not None)
        match = re.search(r"listening on 127\.0\.0\.1 port (\d+)", self.log())
        assert match, self.log()
        self.client.base_url = httpx.URL(f"http://127.0.0.1:{match[1]}")

    def wait(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain; the server says:\n{self.log()}"
            time.sleep(0.01)

    def wait_for(self, status: str) -> None:
        self.wait(lambda: self.health()["status"] == status)

    def health(self) -> dict[str, Any]:
        health: dict[str, Any] = self.client.get("/health-check").json()
        return health

    def log(self) -> str:
        return self._stderr.read_text("utf-8")

    def post(self, **input_: Any) -> httpx.Response:
        return self.client.post("/predictions", json={"input": input_})

    def predict(self, **input_: Any) -> dict[str, Any]:
        """Make a prediction; the answer has to be one, successful or not."""
        response = self.post(**input_)
        assert response.status_code == 200, response.text
        prediction: dict[str, Any] = response.json()
        return prediction

    def end(self) -> None:
        """Kill the server; its worker notices."""
        self.client.close()
        self.process.kill()
        self.process.wait()


def start_servers(directory: Path) -> Iterator[Serve]:
    """Give the function that starts servers, and end them; what they write is in `directory`."""
    servers: list[Server] = []
    site = directory / "site"
    site.mkdir()
    (site / "cog").symlink_to(RUNTIME / "cog")

    def start(
        source: str,
        *arguments: str,
        until: str | None = "READY",
        reference: str = "predict.py:Predictor",
        environment: dict[str, str] | None = None,
        files: dict[str, str] | None = None,
        before: Sequence[str] = (),
    ) -> Server:
        model = directory / f"model{len(servers)}"
        model.mkdir()
        for name, content in {"predict.py": source, **(files or {})}.items():
            path = model / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(textwrap.dedent(content))
        variables = {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(directory),
            "COGN_SERVER": SERVER_SITE,
            "COG_PREDICT_TYPE_STUB": reference,
            "PORT": "0",
            "PYTHONPATH": str(site),
        }
        server = Server(model, variables | (environment or {}), list(arguments), before)
        servers.append(server)
        server.connect()
        if until is not None:
            server.wait_for(until)
        return server

    yield start
    for server in servers:
        server.end()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start the server for a model given as source; it is ready unless told otherwise."""
    yield from start_servers(tmp_path)


@pytest.fixture(scope="module")
def serve_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Start servers that the tests of a module share."""
    yield from start_servers(tmp_path_factory.mktemp("shared"))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server for what servers send."""
    with receiving() as received:
        yield received
