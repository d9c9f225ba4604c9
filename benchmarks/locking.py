"""What `cogn lock` costs beside a bare `uv pip compile` of the same requirements.

Cold is with empty caches of both, warm with filled ones. The Debian packages, the server's wheels
and all that the lock holds besides come on top of what uv does.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from cogn.store.uv import uv_program

SETS = {
    "torch": ("3.13", "torch"),
    "torch and friends": ("3.13", "torch==2.9.1 torchvision torchaudio==2.9.1"),
    "diffusers": ("3.13", "diffusers transformers accelerate"),
}
"""By name: the Python and the requirements."""


def main() -> None:
    """Measure each set, cold and warm, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=5, help="of each measurement; the median counts"
    )
    rounds = parser.parse_args().rounds
    heads = ("uv", "cogn", "ratio", "1.3 uv + 0.5 s")
    print(f"{'requirements':20} {'caches':6}", *(f"{head:>8}" for head in heads))
    for name, (python, requirements) in SETS.items():
        with tempfile.TemporaryDirectory() as directory:
            project = _project(Path(directory, "project"), python, requirements.split())
            for is_cold in (True, False):
                uv = _median(rounds, _uv(project, python), Path(directory), is_cold=is_cold)
                cogn = _median(rounds, _cogn(project), Path(directory), is_cold=is_cold)
                print(
                    f"{name:20} {'cold' if is_cold else 'warm':6} {uv:7.2f}s {cogn:7.2f}s "
                    f"{cogn / uv:8.2f} {1.3 * uv + 0.5:13.2f}s"
                )


def _project(directory: Path, python: str, requirements: Sequence[str]) -> Path:
    directory.mkdir()
    (directory / "cog.yaml").write_text(
        f"build: {{gpu: true, python_version: '{python}', python_requirements: requirements.txt}}\n"
        "run: run.py:run\n"
    )
    (directory / "requirements.txt").write_text("\n".join([*requirements, ""]))
    (directory / "run.py").write_text("def run() -> str: ...\n")
    return directory


def _uv(project: Path, python: str) -> list[str]:
    """Return the command that resolves as `cogn lock` has uv do it."""
    return [
        *(uv_program(), "pip", "compile", str(project / "requirements.txt"), "--quiet"),
        *("--python-version", python, "--python-platform", "x86_64-manylinux_2_40"),
        *("--only-binary", ":all:", "--python", sys.executable, "--no-python-downloads"),
        *("--format", "pylock.toml", "--output-file", str(project / "pylock.toml")),
    ]


def _cogn(project: Path) -> list[str]:
    return [str(Path(sys.executable).with_name("cogn")), "lock", str(project)]


def _median(rounds: int, command: Sequence[str], directory: Path, *, is_cold: bool) -> float:
    """Return the median of the seconds that a command takes."""
    caches = {"UV_CACHE_DIR": str(directory / "uv"), "COGN_CACHE": str(directory / "cogn")}
    project = directory / "project"
    if not is_cold:
        _seconds(command, caches, project)
    taken = []
    for _ in range(rounds):
        if is_cold:
            for cache in caches.values():
                shutil.rmtree(cache, ignore_errors=True)
        taken.append(_seconds(command, caches, project))
    return statistics.median(taken)


def _seconds(command: Sequence[str], caches: Mapping[str, str], project: Path) -> float:
    for name in ("cogn.lock", "pylock.toml"):
        (project / name).unlink(missing_ok=True)
    begin = time.perf_counter()
    # As users have it: without bytecode, every run of cogn would compile what it imports.
    environment = {key: os.environ[key] for key in os.environ if key != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, env={**environment, **caches}, check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
