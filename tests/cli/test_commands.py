"""What a person at the command line sees: output, errors word for word, exit codes."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from cogn import lockfiles, resolver
from cogn.cli.main import cogn, main
from cogn.store import Cache
from support.locks import AMD64, HEX, make_lock, make_wheel_entry
from support.projects import cache_of_inputs, unseal
from support.projects import cogn as cogn_process
from support.servers import ScriptedServer

CONFIG = "build:\n  python_version: '3.13'\nrun: run.py:Runner\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "cog.yaml").write_text(CONFIG)
    (tmp_path / "run.py").write_text(
        "class Runner:\n    def run(self) -> str:\n        return ''\n"
    )
    return tmp_path


def fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """Run the command line as a shell would; return what it says on stderr when it fails."""
    monkeypatch.setattr(sys, "argv", ["cogn", *args])
    with pytest.raises(SystemExit) as caught:
        main()
    out, err = capsys.readouterr()
    assert (caught.value.code, out) == (1, "")
    return err


def write_lock(project: Path, **changes: Any) -> None:
    digest = resolver.Project.load(project).inputs_digest
    lock = make_lock(**({"inputs": digest} | changes))
    (project / "cogn.lock").write_text(lockfiles.dumps(lock))


def test_assemble_without_a_lock(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fails(monkeypatch, capsys, "assemble", str(project)) == (
        f"error: there is no `cogn.lock` in `{project}`\n\nhint: run `cogn lock` first\n"
    )


def test_assemble_with_a_lock_of_other_inputs(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lock(project, inputs=f"sha256:{HEX}")
    assert fails(monkeypatch, capsys, "assemble", str(project)) == (
        "error: `cogn.lock` is out of date: "
        "cog.yaml, cogn.toml or the requirements have changed\n\n"
        "hint: run `cogn lock`, look at the difference and commit it\n"
    )


def test_assemble_with_a_lock_edited_by_hand(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lock(project)
    lock = project / "cogn.lock"
    lock.write_text(lock.read_text().replace("size = 1000", "size = 'big'", 1))
    assert fails(monkeypatch, capsys, "assemble", str(project)) == (
        'error: cogn.lock, `environments."linux/amd64".wheels[0].size`: '
        "Expected `int`, got `str`\n\n"
        "hint: run `cogn lock` to write it anew\n"
    )


def test_assemble_with_a_lock_of_another_cogn(
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    runtime = replace(
        make_wheel_entry(),
        name="cogn-runtime",
        version="9",
        file="cogn_runtime-9-py3-none-any.whl",
    )
    write_lock(project, server=(runtime,), wheels=(), seals=())
    # Packages that nobody has are asked for at the same time: keep that away from the network.
    monkeypatch.setenv("COGN_CACHE", str(tmp_path / "cache"))
    with ScriptedServer([(404, b"")]) as server:
        monkeypatch.setenv("COGN_DEBIAN_MIRROR", server.url)
        error = fails(monkeypatch, capsys, "assemble", str(project))
    assert f"error: the lock pins cogn-runtime 9 with sha256 {HEX}, and this cogn brings" in error
    assert "hint: run `cogn lock`, or use the cogn that wrote the lock\n" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "docker:x"), "`docker:x` is not a destination"),
        (("-o", "oci:"), "`oci:` is not a destination"),
        (("--push", "Model"), "`Model` is not an image reference"),
        (
            ("--push", f"localhost/m@sha256:{HEX}"),
            f"`localhost/m@sha256:{HEX}` has a digest, which only the image itself can tell",
        ),
        (
            ("--push", "localhost/m", "--blob-repo", "m"),
            "`m` cannot be the repository for large layers",
        ),
        (("--blob-repo", "m"), "`--blob-repo` is for a push"),
    ],
)
def test_assemble_to_what_is_no_place(
    project: Path,
    arguments: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_lock(project)
    error = fails(monkeypatch, capsys, "assemble", str(project), *arguments)
    assert error.startswith(f"error: {message}\n\nhint: ")


def test_assemble_for_a_platform_that_is_not_in_the_lock(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lock(project)
    arguments = ("--platform", "linux/amd64,linux/arm64")
    assert fails(monkeypatch, capsys, "assemble", str(project), *arguments) == (
        "error: `cogn.lock` is for linux/amd64, not for linux/arm64\n\n"
        "hint: run `cogn lock --platform linux/amd64,linux/arm64`\n"
    )


@pytest.mark.parametrize("command", ["lock", "assemble"])
@pytest.mark.parametrize("platforms", ["linux/riscv64", "linux/amd64,", "linux/amd64 linux/arm64"])
def test_a_platform_that_is_none_is_wrong_usage(
    project: Path, command: str, platforms: str
) -> None:
    result = CliRunner().invoke(cogn, [command, str(project), "--platform", platforms])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is not one of 'linux/amd64', 'linux/arm64'" in result.stderr


def test_every_problem_of_a_file_is_told_at_once(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "cog.yaml").write_text("build:\n  gpu: maybe\n  python_version: 2.7\nrun: x\n")
    error = fails(monkeypatch, capsys, "lock", str(project))
    assert [line.partition(", ")[0] for line in error.splitlines() if line.startswith("error")] == [
        "error: cog.yaml:2",
        "error: cog.yaml:3",
        "error: cog.yaml:4",
    ]
    assert not (project / "cogn.lock").exists()


def test_wrong_usage_ends_with_2() -> None:
    result = CliRunner().invoke(cogn, ["assemble", "--no-such-option"])
    assert (result.exit_code, result.stdout) == (2, "")


def test_help_names_the_commands() -> None:
    result = CliRunner().invoke(cogn, ["--help"])
    assert result.exit_code == 0
    assert {"lock", "assemble"} <= {line.split()[0] for line in result.stdout.splitlines() if line}


def test_starting_imports_nothing_heavy() -> None:
    code = (
        "import sys, cogn.cli.main;"
        "print(*sorted({'pydantic', 'httpx', 'anyio', 'rich', 'yaml', 'msgspec'} & {*sys.modules}))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert result.stdout == b"\n"


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cogn, [*map(str, arguments)], catch_exceptions=False)


@pytest.mark.network
def test_locking_again_changes_nothing(locked: dict[str, Path]) -> None:
    lock = locked["resize"] / "cogn.lock"
    before = lock.read_bytes(), lock.stat().st_mtime_ns
    result = invoke("lock", locked["resize"])
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("cogn.lock is up to date: ")
    assert (lock.read_bytes(), lock.stat().st_mtime_ns) == before


@pytest.mark.network
def test_frozen_refuses_a_lock_without_seals_and_writes_nothing(
    locked: dict[str, Path], tmp_path: Path
) -> None:
    project = copy_of(locked["hello"], tmp_path)
    invoke("assemble", project)
    unseal(project)
    before = (project / "cogn.lock").read_bytes()
    ended = cogn_process("assemble", project, "--frozen", cache=tmp_path / "cache")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.endswith(
        "error: `cogn.lock` does not seal the layers of this image: base, python 3.13.5, server, "
        "bytecode of python 3.13.5, bytecode of server, pip, bytecode of pip, system files\n\n"
        "hint: run `cogn assemble` without `--frozen` and commit the lock\n"
    )
    assert (project / "cogn.lock").read_bytes() == before


@pytest.mark.network
def test_a_layer_that_differs_from_its_seal_is_an_error(
    locked: dict[str, Path], tmp_path: Path
) -> None:
    project = copy_of(locked["hello"], tmp_path)
    invoke("assemble", project)
    lock = lockfiles.read(project / "cogn.lock")
    first, *others = lock.environments[AMD64].seals
    forged = replace(first, digest=f"sha256:{HEX}")
    (project / "cogn.lock").write_text(lockfiles.dumps(lock.sealed({AMD64: (forged, *others)})))
    cache = cache_of_inputs(lock, tmp_path / "cache")
    ended = cogn_process("assemble", project, "-o", f"oci:{tmp_path / 'out'}", cache=cache)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert (
        f"error: the layer `base` came out as {first.digest}, but the lock sealed sha256:{HEX}\n"
    ) in ended.stderr
    assert not (tmp_path / "out/index.json").exists()


@pytest.mark.network
def test_a_registry_that_answers_500_is_an_error(locked: dict[str, Path]) -> None:
    with ScriptedServer([(500, b"", {"Retry-After": "0"})]) as server:
        host = server.url.removeprefix("http://").rstrip("/")
        begin = time.monotonic()
        ended = cogn_process(
            "assemble", locked["hello"], "--push", f"{host}/m:1", cache=Cache().root
        )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"error: cannot use the registry `{host}`: " in ended.stderr
    assert "the server answered 500 Internal Server Error" in ended.stderr
    assert time.monotonic() - begin < 60


def copy_of(project: Path, directory: Path) -> Path:
    return Path(shutil.copytree(project, directory / "project"))
