"""The first law: the same lock and source give the same digest, whatever the machine is like."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import time
import tomllib
from pathlib import Path

import pytest

from cogn.store.cache import Cache
from support.containers import podman, run_in
from support.projects import COGN, cache_of_inputs, cogn, digest_of, unseal

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.network

SOURCE = {
    "predict.py": b"class Predictor:\n    def predict(self) -> str:\n        return ''\n",
    "empty": b"",
    "data/ünïcode näme.txt": b"text",
    "data/" + "long" * 40: b"long",
    "scripts/run.sh": b"#!/bin/sh\n",
}


def write_source(project: Path, *, backwards: bool = False) -> None:
    """Write the files of `SOURCE` and a link, in one order or the other, at another time."""
    for path, data in sorted(SOURCE.items(), reverse=backwards):
        file = project / path
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_bytes(data)
        file.chmod(0o700 if path.endswith(".sh") else 0o600)
        if backwards:
            os.utime(file, (1, 1))
            file.chmod(file.stat().st_mode | 0o055 if path.endswith(".sh") else 0o664)
    (project / "link").symlink_to("data")


@pytest.fixture(scope="module")
def project(locked: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example with compiled wheels, unsealed, with a source that is full of surprises."""
    directory = tmp_path_factory.mktemp("one") / "resize"
    shutil.copytree(locked["resize"], directory)
    # What assembling fetches is here afterwards.
    assert cogn("assemble", directory, cache=Cache().root).returncode == 0
    unseal(directory)
    write_source(directory)
    return directory


@pytest.fixture(scope="module")
def digest(project: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the project's image, every layer built."""
    return build(project, tmp_path_factory.mktemp("baseline"))


def build(project: Path, directory: Path, **how: object) -> str:
    """Build every layer of a project anew; return the image's digest."""
    copy = directory / "project"
    shutil.copytree(project, copy, symlinks=True)
    cache = cache_of_inputs(unseal(copy), directory / "cache")
    return digest_of(cogn("assemble", copy, cache=cache, **how))  # type: ignore[arg-type]


def test_neither_directory_nor_umask_nor_the_order_and_times_of_files_matter(
    project: Path, digest: str, tmp_path: Path
) -> None:
    other = tmp_path / "somewhere else" / "näme"
    other.mkdir(parents=True)
    write_source(other, backwards=True)
    for name in ("cog.yaml", "requirements.txt", "run.py", "README.md", "cogn.lock"):
        shutil.copyfile(project / name, other / name)
    assert build(other, tmp_path, umask=0o077) == digest


def test_neither_time_zone_nor_locale_nor_hash_seed_matter(
    project: Path, digest: str, tmp_path: Path
) -> None:
    environment = {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONHASHSEED": "1", "PYTHONUTF8": "0"}
    assert build(project, tmp_path, **environment) == digest


def test_the_number_of_jobs_does_not_matter(project: Path, digest: str, tmp_path: Path) -> None:
    copy = tmp_path / "project"
    shutil.copytree(project, copy, symlinks=True)
    cache = cache_of_inputs(unseal(copy), tmp_path / "cache")
    assert digest_of(cogn("assemble", copy, "--jobs", "1", cache=cache)) == digest


@pytest.mark.faketime
def test_the_clock_does_not_matter(project: Path, digest: str, tmp_path: Path) -> None:
    assert build(project, tmp_path, wrapper=("faketime", "2041-02-03 04:05:06")) == digest


def test_neither_the_cache_nor_the_seals_matter(project: Path, digest: str, tmp_path: Path) -> None:
    copy = tmp_path / "project"
    shutil.copytree(project, copy, symlinks=True)
    lock = unseal(copy)
    cold = tmp_path / "cold"
    assert digest_of(cogn("assemble", copy, cache=cold)) == digest  # fetched, built, sealed
    sealed = (copy / "cogn.lock").read_text()
    assert digest_of(cogn("assemble", copy, "--frozen", cache=cold)) == digest  # sealed, cached
    warm = cache_of_inputs(lock, tmp_path / "warm")
    assert digest_of(cogn("assemble", copy, "--frozen", cache=warm)) == digest  # sealed alone
    assert (copy / "cogn.lock").read_text() == sealed


def test_a_killed_assemble_leaves_nothing_that_harms_the_next(
    project: Path, digest: str, tmp_path: Path
) -> None:
    copy = tmp_path / "project"
    shutil.copytree(project, copy, symlinks=True)
    cache = cache_of_inputs(unseal(copy), tmp_path / "cache")
    for seconds in (0.5, 0.9, 1.3, 1.8):
        process = subprocess.Popen(
            [*COGN, "assemble", copy],
            env=os.environ | {"COGN_CACHE": str(cache)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for blob in (cache / "blobs").rglob("*"):
            if blob.is_file():
                assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    assert digest_of(cogn("assemble", copy, cache=cache)) == digest


def test_two_at_once_share_a_cache(project: Path, digest: str, tmp_path: Path) -> None:
    copies = [tmp_path / name for name in ("a", "b")]
    for copy in copies:
        shutil.copytree(project, copy, symlinks=True)
        cache = cache_of_inputs(unseal(copy), tmp_path / "cache")
    processes = [
        subprocess.Popen(
            [*COGN, "assemble", copy],
            env=os.environ | {"COGN_CACHE": str(cache)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for copy in copies
    ]
    assert [process.communicate()[0].strip() for process in processes] == [digest, digest]


@pytest.mark.podman
def test_another_python_and_system_give_the_same_digest(
    project: Path, digest: str, tmp_path: Path
) -> None:
    """The host is an image of Debian trixie with Python 3.13, which cogn makes itself."""
    host = tmp_path / "host"
    host.mkdir()
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (host / "requirements.txt").write_text("\n".join(dependencies))
    (host / "cog.yaml").write_text(
        "build: {python_version: '3.13', python_requirements: requirements.txt}\nrun: run.py:run\n"
    )
    (host / "run.py").write_text("def run() -> str: ...\n")
    shared = Cache().root
    assert cogn("lock", host, cache=shared).returncode == 0
    archive = tmp_path / "host.tar"
    made = digest_of(cogn("assemble", host, "-o", f"oci-archive:{archive}", cache=shared))
    image = podman("pull", "--quiet", f"oci-archive:{archive}").strip()
    assert podman("image", "inspect", "--format", "{{.Digest}}", image).strip() == made

    copy = tmp_path / "project"
    shutil.copytree(project, copy, symlinks=True)
    cache = cache_of_inputs(unseal(copy), tmp_path / "cache", link=False)
    parts = ("report", "lockfiles", "store", "resolver", "layers", "cli", "runtime")
    options = (
        *("--volume", f"{ROOT}:/cogn:ro"),
        *("--volume", f"{copy}:/project", "--volume", f"{cache}:/cache"),
        *("--env", "COGN_CACHE=/cache"),
        *("--env", "PYTHONPATH=" + ":".join(f"/cogn/{part}" for part in parts)),
        *("--env", "PYTHONDONTWRITEBYTECODE=1"),
    )
    try:
        assert run_in(image, "python", "--version", options=options).startswith("Python 3.13.")
        output = run_in(image, "python", *COGN[1:], "assemble", "/project", options=options)
    finally:
        podman("rmi", "--force", image)
    assert output == f"{digest}\n"
