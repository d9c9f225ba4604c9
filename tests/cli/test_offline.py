"""`--offline` at the command line: what is missing is said in one go, and nobody is asked."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from cogn import lockfiles, resolver
from cogn.cli.main import cogn, main
from cogn.store import Cache
from support.locks import make_deb, make_lock, make_wheel_entry
from support.servers import ScriptedServer
from support.wheels import make_wheel

CONFIG = "build:\n  python_version: '3.13'\n  python_requirements: r.txt\nrun: run.py:Runner\n"

Fails = Callable[..., str]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """Where everything would be asked for."""
    with ScriptedServer([(404, b"")]) as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project on a machine whose caches are empty."""
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "cog.yaml").write_text(CONFIG)
    (directory / "r.txt").write_text("leaf==1.0\n")
    (directory / "run.py").write_text(
        "class Runner:\n    def run(self) -> str:\n        return ''\n"
    )
    (directory / "uv.toml").write_text(
        f'[[index]]\nname = "test"\nurl = "{server.url}simple"\ndefault = true\n'
    )
    monkeypatch.setenv("COGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    for archive in ("DEBIAN", "DEBIAN_SECURITY"):
        monkeypatch.setenv(f"COGN_{archive}_MIRROR", server.url)
    return directory


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fails:
    """Runs the command line; gives what it says on stderr when it fails."""

    def run(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["cogn", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        assert (caught.value.code, out) == (1, "")
        return err

    return run


def write_lock(project: Path, leaf: str = "f" * 64) -> None:
    """Write a lock that names three packages, and a wheel with the hash `leaf`."""
    base = make_lock().environments["linux/amd64"].base
    debs = tuple(
        make_deb(name, sha256=f"{number:064x}") for number, name in enumerate(("bash", "libc6"))
    )
    lock = make_lock(
        inputs=resolver.Project.load(project).inputs_digest,
        bytecode=True,
        seals=(),
        base=lockfiles.DebianBase(
            release="trixie", reason="", archives=base.archives, debs=debs, shell=True
        ),
        wheels=(replace(make_wheel_entry("leaf"), sha256=leaf),),
        server=(),
    )
    (project / "cogn.lock").write_text(lockfiles.dumps(lock))


MISSING = (
    "error: these 4 are not on the machine, and `--offline` forbids fetching them:\n"
    "  bash 2.41-12 (amd64)\n"
    "  libc6 2.41-12 (amd64)\n"
    "  python3 2.41-12 (amd64)\n"
    "  leaf-1.0-py3-none-any.whl\n"
    "\n"
    "hint: where there is a network, run `cogn vendor` to make a directory of all that the lock "
    "names, and name it here with `--vendor`; or go without `--offline`\n"
)


def test_assembling_with_an_empty_cache_names_all_that_is_missing(
    project: Path, server: ScriptedServer, fails: Fails, tmp_path: Path
) -> None:
    write_lock(project)
    assert fails("assemble", project, "--offline") == MISSING
    assert fails("vendor", tmp_path / "vendor", project, "--offline") == MISSING
    assert server.requests == []


def test_a_wheel_in_a_directory_of_this_machine_is_not_missing(
    project: Path, server: ScriptedServer, fails: Fails, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, {}, name="leaf")
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    write_lock(project, sha256)
    note = {"url": wheel.as_uri(), "size": wheel.stat().st_size}
    Cache(tmp_path / "cache").set_note("wheels", sha256, note)
    said = fails("assemble", project, "--offline")
    assert said.startswith("error: these 3 are not on the machine")
    assert "leaf" not in said
    wheel.unlink()
    assert fails("assemble", project, "--offline") == MISSING
    assert server.requests == []


def test_the_variable_asks_for_the_same(
    project: Path, server: ScriptedServer, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lock(project)
    monkeypatch.setenv("COGN_OFFLINE", "1")
    assert fails("assemble", project) == MISSING
    assert server.requests == []


def test_locking_with_empty_caches_names_archives_and_packages(
    project: Path, server: ScriptedServer, fails: Fails
) -> None:
    said = fails("lock", project, "--offline")
    assert (
        "error: these 3 are not on the machine, and `--offline` forbids fetching them:\n"
        "  the packages of the archive `debian`, suite `trixie`\n"
        "  the packages of the archive `debian`, suite `trixie-updates`\n"
        "  the packages of the archive `debian-security`, suite `trixie-security`\n"
    ) in said
    assert "error: uv: " in said
    assert "leaf" in said
    assert server.requests == []
    assert not (project / "cogn.lock").exists()


def test_what_needs_a_network_is_refused(project: Path, fails: Fails) -> None:
    write_lock(project)
    assert fails("assemble", project, "--offline", "--push", "localhost/m:1") == (
        "error: `--push` needs the network, which `--offline` forbids\n\n"
        "hint: write the image with `-o oci:DIRECTORY` and push that from where there is one\n"
    )
    assert fails("lock", project, "--offline", "--upgrade") == (
        "error: `--upgrade` takes what is newest today, and `--offline` forbids asking for it\n\n"
        "hint: leave out one of them\n"
    )


def test_a_directory_that_was_not_made_for_it_is_refused(
    project: Path, fails: Fails, tmp_path: Path
) -> None:
    write_lock(project)
    assert fails("assemble", project, "--vendor", tmp_path) == (
        f"error: `{tmp_path}` is no directory that `cogn vendor` made\n\n"
        "hint: make it with `cogn vendor` where there is a network\n"
    )
    assert fails("vendor", tmp_path, project) == (
        f"error: `{tmp_path}` has other files in it and was not made by `cogn vendor`\n\n"
        "hint: name a new directory\n"
    )


def test_a_directory_that_is_not_there_is_wrong_usage(project: Path, tmp_path: Path) -> None:
    arguments = ["assemble", str(project), "--vendor", str(tmp_path / "none")]
    assert CliRunner().invoke(cogn, arguments).exit_code == 2
