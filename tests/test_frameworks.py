"""Real resolutions of the frameworks that use a GPU: locked, stable, the same anywhere."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cogn import lockfiles
from cogn.store.uv import uv_program
from support.locks import AMD64

pytestmark = pytest.mark.network

ROOT = Path(__file__).parents[1]

SETS = {
    "torch": ("3.13", "torch", 13),
    "torch-2.9": ("3.13", "torch==2.9.1", 12),
    "torch-2.4": ("3.12", "torch==2.4.1", 12),
    "torch-and-friends": ("3.13", "torch==2.9.1 torchvision torchaudio==2.9.1", 12),
    "diffusers": ("3.13", "diffusers transformers accelerate", 13),
    "tensorflow": ("3.13", "tensorflow[and-cuda]", 12),
    "jax": ("3.13", "jax[cuda12]", 12),
    "onnxruntime": ("3.13", "onnxruntime-gpu[cuda,cudnn]", 13),
    "cupy": ("3.13", "cupy-cuda12x[ctk]", 12),
    "vllm": ("3.12", "vllm", 13),
}
"""By name: the Python, the requirements, and the major version of CUDA that follows."""


def write(directory: Path, name: str) -> Path:
    """Write the project of one of the sets."""
    python, requirements, _ = SETS[name]
    directory.mkdir(parents=True)
    (directory / "cog.yaml").write_text(
        f"build: {{gpu: true, python_version: '{python}', python_requirements: requirements.txt}}\n"
        "run: run.py:run\n"
    )
    (directory / "requirements.txt").write_text("\n".join([*requirements.split(), ""]))
    (directory / "run.py").write_text("def run() -> str:\n    return ''\n")
    return directory


def lock(project: Path, python: Sequence[str | Path] = (sys.executable,)) -> str:
    """Lock a project with another process; return what it said."""
    parts = ("report", "lockfiles", "store", "resolver", "layers", "cli", "runtime")
    ended = subprocess.run(
        [*python, "-c", "from cogn.cli.main import cogn; cogn()", "lock", project],
        env=os.environ | {"PYTHONPATH": ":".join(str(ROOT / part) for part in parts)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stderr


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path, str]]:
    """Two projects of each set, both locked, and what locking the first again said.

    They take turns with the network, which most of the time goes to.
    """
    directory = tmp_path_factory.mktemp("frameworks")

    def twice(name: str) -> tuple[Path, Path, str]:
        one, other = (write(directory / place / name, name) for place in ("one", "an other/place"))
        lock(one)
        lock(other)
        return one, other, lock(one)

    with ThreadPoolExecutor(max_workers=4) as pool:
        return dict(zip(SETS, pool.map(twice, SETS), strict=True))


@pytest.mark.parametrize("name", SETS)
def test_a_framework_brings_its_cuda_and_its_lock_is_stable(
    name: str, locked: dict[str, tuple[Path, Path, str]]
) -> None:
    python, requirements, major = SETS[name]
    one, other, said = locked[name]
    environment = lockfiles.read(one / "cogn.lock").environments[AMD64]
    assert environment.python.version.startswith(f"{python}.")
    assert environment.cuda is not None
    assert environment.cuda.provider == "wheels"
    assert environment.cuda.version.startswith(f"{major}.")
    found = {wheel.name: wheel.version for wheel in environment.wheels}
    for each in requirements.split():
        wanted, _, pin = each.partition("==")
        assert found[wanted.partition("[")[0]] == (pin or found[wanted.partition("[")[0]])
    assert "is up to date" in said
    assert (other / "cogn.lock").read_bytes() == (one / "cogn.lock").read_bytes()


def other_python() -> str | None:
    """A CPython of another version than this one that cogn runs with, if there is one."""
    listed = subprocess.run(
        [uv_program(), "python", "list", "--only-installed", "--output-format", "json"],
        capture_output=True,
        check=True,
    )
    for each in json.loads(listed.stdout):
        version = tuple(map(int, each["version"].split(".")[:2]))
        if version >= (3, 11) and each["version"] != platform.python_version():
            return str(each["path"])
    return None


def test_a_lock_does_not_depend_on_the_python_that_writes_it(
    locked: dict[str, tuple[Path, Path, str]], tmp_path: Path
) -> None:
    python = other_python()
    if python is None:
        pytest.skip("there is no other Python on this machine")
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    environment = tmp_path / "venv"
    uv = uv_program()
    subprocess.run([uv, "venv", "--quiet", "--python", python, environment], check=True)
    program = environment / "bin" / "python"
    install = [uv, "pip", "install", "--quiet", "--python", str(program)]
    subprocess.run([*install, *dependencies], check=True)
    project = write(tmp_path / "project", "torch-2.9")
    lock(project, [program, "-B"])
    expected = locked["torch-2.9"][0] / "cogn.lock"
    assert (project / "cogn.lock").read_bytes() == expected.read_bytes()
