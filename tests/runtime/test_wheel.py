"""The runtime's wheel, installed as in an image, under each Python that models may have."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

import pytest
import uv

from cogn.store.runtime import runtime_wheel
from support.serving import InstalledServer, install

MODEL = """
import sys
from typing import Optional
import cog

class Predictor(cog.BasePredictor):
    async def setup(self) -> None:
        self.version = "%d.%d" % sys.version_info[:2]

    @cog.concurrent(max=2)
    async def predict(
        self, file: cog.Path, count: int = cog.Input(default=1, ge=1), maybe: Optional[str] = None
    ) -> cog.AsyncConcatenateIterator[str]:
        print("reading")
        for _ in range(count):
            yield self.version + file.read_text()
"""


def interpreter(version: str) -> str:
    """Return the interpreter of that version which this machine has; skip the test without one."""
    command = [uv.find_uv_bin(), "python", "find", "--no-python-downloads", version]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip(f"this machine has no Python {version}")
    return found.stdout.strip()


@pytest.mark.network
@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13", "3.14"])
def test_the_server_runs_from_its_wheel(tmp_path: Path, version: str) -> None:
    python = install(tmp_path / "environment", python=interpreter(version))
    wheel = runtime_wheel()
    (tmp_path / wheel.file).write_bytes(wheel.data)
    server_site, model_site, model = tmp_path / "server", tmp_path / "site", tmp_path / "model"
    command = (uv.find_uv_bin(), "pip", "install", "--quiet", "--python", python)
    subprocess.run([*command, "--target", server_site, tmp_path / wheel.file], check=True)
    with zipfile.ZipFile(tmp_path / wheel.file) as archive:
        archive.extractall(model_site, [name for name in archive.namelist() if name[:4] == "cog/"])
    model.mkdir()
    (model / "predict.py").write_text(MODEL)
    environment = {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(tmp_path),
        "COGN_SERVER": str(server_site),
        "COG_PREDICT_TYPE_STUB": "predict.py:Predictor",
        "PYTHONPATH": str(model_site),
        "PYTHONWARNINGS": "default::DeprecationWarning",
    }
    server = InstalledServer(python, model, environment, [])
    try:
        server.connect()
        server.wait_for("READY")
        made = server.predict(file="data:text/plain,x", count=2)
        assert (made["output"], made["logs"]) == ([f"{version}x"] * 2, "reading\n")
        assert server.health()["version"]["python"].startswith(f"{version}.")
        server.process.terminate()
        assert server.process.wait(20) == 0
        assert "Traceback" not in server.log()
        assert "DeprecationWarning" not in server.log()
    finally:
        server.end()
