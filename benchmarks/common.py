"""What the benchmarks share: the command line, the torch project, directories and programs."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "COGN",
    "REQUIREMENT",
    "ROOT",
    "UV",
    "benchmark",
    "fresh",
    "make_project",
    "run",
    "warm",
]

ROOT = Path(__file__).resolve().parents[1]
COGN = ROOT / ".venv/bin/cogn"
UV = ROOT / ".venv/bin/uv"
REQUIREMENT = "torch==2.9.1"


@contextmanager
def benchmark(description: str | None) -> Iterator[tuple[Path, bool]]:
    """Read the command line; give the directory to work in, and whether to measure peers.

    cogn's cache is in that directory, so a directory that is kept is all that the next run needs.
    So is Python's bytecode: an installed cogn has it, whatever the environment says.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--work", type=Path, help="a directory to keep for the next run")
    parser.add_argument("--skip-peers", action="store_true", help="measure cogn alone")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cogn-bench-") as temporary:
        work = (arguments.work or Path(temporary)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        os.environ["COGN_CACHE"] = str(work / "shared")
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(work / "bytecode")
        yield work, not arguments.skip_peers


def make_project(directory: Path) -> Path:
    """Write the torch model; return its directory."""
    directory.mkdir(exist_ok=True)
    (directory / "cog.yaml").write_text(
        "build: {gpu: true, python_version: '3.13', python_requirements: requirements.txt}\n"
        "run: run.py:run\n"
    )
    (directory / "requirements.txt").write_text(f"{REQUIREMENT}\n")
    (directory / "run.py").write_text("def run() -> str:\n    return ''\n")
    # pip and uv compile nothing here either.
    (directory / "cogn.toml").write_text("bytecode = false\n")
    return directory


def warm(directory: Path) -> None:
    """Read all files once, so that no measurement waits for the disk in place of another."""
    for path in directory.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                while file.read(1 << 20):
                    pass


def fresh(directory: Path) -> Path:
    """Return the directory, empty."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def run(*command: str | Path, env: dict[str, str] | None = None) -> str:
    """Run a program; return what it prints; end the benchmark when it fails."""
    result = subprocess.run(
        [*map(str, command)], env=env, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{result.stderr}")
    return result.stdout
