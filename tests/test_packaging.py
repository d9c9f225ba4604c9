"""The wheels that users install, against the checkout that developers use."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from cogn.store.runtime import runtime_wheel

ROOT = Path(__file__).parents[1]

PROBE = """
import json, sys
sys.path[:0] = sys.argv[1:]
from cogn.cli.main import cogn
from cogn.resolver.matrix import load_matrix
from cogn.store.debian import archive_keys
from cogn.store.runtime import runtime_wheel
from cogn.resolver.document import read_document
runtime = runtime_wheel()
found = [runtime.file, runtime.sha256, len(load_matrix().drivers), len(archive_keys("debian"))]
json.dump(found, sys.stdout)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of `cogn-build`."""
    directory = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (path,) = directory.iterdir()
    return path


def probe(*paths: str | Path) -> list[object]:
    """Return what cogn finds of its own data when it is imported from `paths`."""
    result = subprocess.run(
        [sys.executable, "-S", "-c", PROBE, *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return list(json.loads(result.stdout))


def test_a_release_finds_the_same_data_as_a_checkout(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    packages = sysconfig.get_path("purelib")
    names = ("report", "lockfiles", "store", "resolver", "layers", "cli", "runtime")
    parts = [ROOT / name for name in names]
    runtime = runtime_wheel()
    found = probe(tmp_path, packages)
    assert found[:2] == [runtime.file, runtime.sha256]
    assert found == probe(*parts, packages)


def test_a_release_has_every_module_and_type_marker(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if name.startswith("cogn/")}
    parts = ("report", "lockfiles", "store", "resolver", "layers", "cli")
    expected = {
        path.relative_to(ROOT / part).as_posix()
        for part in parts
        for path in (ROOT / part / "cogn").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert expected - inside == set()
    assert {f"cogn/{part}/py.typed" for part in parts} <= inside


def test_the_runtimes_wheel_is_the_same_however_the_checkout_lies(tmp_path: Path) -> None:
    copy = tmp_path / "store/cogn/store"
    copy.mkdir(parents=True)
    for path in (ROOT / "runtime").rglob("*"):
        if path.suffix in {".py", ".toml", ".typed"}:
            target = tmp_path / "runtime" / path.relative_to(ROOT / "runtime")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    code = "import backend; import sys; sys.stdout.buffer.write(backend.wheel()[1])"
    built = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "runtime", capture_output=True, check=True
    )
    assert hashlib.sha256(built.stdout).hexdigest() == runtime_wheel().sha256
