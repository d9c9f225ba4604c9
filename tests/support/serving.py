"""Servers of one model: ours, and Cog's own, which the contract is compared with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import uv

from cogn.resolver.document import read_document
from runtime.conftest import RUNTIME, SERVER_SITE, Server
from support.servers import free_port

__all__ = ["COG", "InstalledServer", "Serve", "install", "serving"]

COG = "cog==0.23.1"
"""The release of Cog whose server is the oracle."""

Serve = Callable[..., Server]


def install(directory: Path, *requirements: str, python: str = "3.11") -> Path:
    """Install distributions into a new environment; return its interpreter.

    Raises subprocess.CalledProcessError, for example without a network.
    """
    command = uv.find_uv_bin()
    run = partial(subprocess.run, check=True, capture_output=True, text=True, timeout=300)
    run([command, "venv", "--quiet", "--clear", "--python", python, directory])
    interpreter = directory / "bin/python"
    if requirements:
        run([command, "pip", "install", "--quiet", "--python", interpreter, *requirements])
    return interpreter


class InstalledServer(Server):
    """The server that another interpreter has, in a process of its own; it may be Cog's."""

    def __init__(
        self, python: Path, directory: Path, environment: dict[str, str], arguments: Sequence[str]
    ) -> None:
        self._stderr = directory / "stderr.log"
        self._port = free_port()
        # Its worker is the `python` that PATH finds.
        path = os.pathsep.join([str(python.parent), environment["PATH"]])
        with self._stderr.open("wb") as stderr:
            self.process = subprocess.Popen(
                [python, "-m", "cog.server.http", "--host", "127.0.0.1", *arguments],
                cwd=directory,
                env=environment | {"PATH": path, "PORT": str(self._port)},
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
            )
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self._port}", timeout=30)

    def connect(self) -> None:
        """Wait until the port is open."""
        self.wait(self._is_open)

    def _is_open(self) -> bool:
        assert self.process.poll() is None, self.log()
        with suppress(httpx.ConnectError):
            return self.client.get("/").status_code == 200
        return False

    def predict(self, **input_: Any) -> dict[str, Any]:
        """Make a prediction when there is a slot: Cog's server frees one after it has answered."""
        self.wait_for("READY")
        return super().predict(**input_)

    def end(self) -> None:
        """Kill the server and its worker."""
        self.client.close()
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def serving(directory: Path, python: Path | None) -> Iterator[Serve]:
    """Give the function that starts servers, and end them; what they write is in `directory`.

    With `python`, they are Cog's, of the environment of that interpreter, else ours. Both have the
    document of their model, as in an image.
    """
    servers: list[Server] = []
    site = directory / "site"
    site.mkdir(parents=True)
    (site / "cog").symlink_to(RUNTIME / "cog")

    def start(
        source: str,
        *arguments: str,
        until: str | None = "READY",
        reference: str = "predict.py:Predictor",
        train: str | None = None,
        environment: dict[str, str] | None = None,
        has_document: bool = True,
    ) -> Server:
        model = directory / f"model{len(servers)}"
        model.mkdir()
        (model / "predict.py").write_text(textwrap.dedent(source))
        if has_document:
            document = read_document(model, reference, train=train, version="0")
            (model / ".cog").mkdir()
            (model / ".cog/openapi_schema.json").write_text(json.dumps(document))
        variables = {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(directory),
            "COG_PREDICT_TYPE_STUB": reference,
        }
        if train is not None:
            variables["COG_TRAIN_TYPE_STUB"] = train
        variables |= environment or {}
        server: Server
        if python is None:
            ours = {"COGN_SERVER": SERVER_SITE, "PORT": "0", "PYTHONPATH": str(site)}
            server = Server(model, variables | ours, list(arguments))
        else:
            server = InstalledServer(python, model, variables, arguments)
        servers.append(server)
        server.connect()
        if until is not None:
            server.wait_for(until)
        return server

    yield start
    for server in servers:
        server.end()
    shutil.rmtree(directory, ignore_errors=True)
