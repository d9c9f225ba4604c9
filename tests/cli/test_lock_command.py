"""`cogn lock` at the command line: what its options mean, and when a lock is current."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from cogn import lockfiles, resolver
from cogn.cli import lock as lock_command
from cogn.cli.main import cogn, main
from cogn.store.runtime import runtime_wheel
from support.locks import HEX, make_lock, make_wheel_entry

CONFIG = "run: run.py:run\nbuild: {python_packages: [idna]}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "cog.yaml").write_text(CONFIG)
    return tmp_path


def write_lock(project: Path, **changes: Any) -> Path:
    """Write a lock that answers the project's inputs, with this cogn's runtime."""
    runtime = runtime_wheel()
    server = replace(
        make_wheel_entry(),
        name="cogn-runtime",
        version=runtime.version,
        file=runtime.file,
        sha256=runtime.sha256,
    )
    inputs = resolver.Project.load(project).inputs_digest
    path = project / "cogn.lock"
    lock = make_lock(**({"inputs": inputs, "server": (server,), "seals": ()} | changes))
    path.write_text(lockfiles.dumps(lock))
    return path


def fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *args: str) -> str:
    monkeypatch.setattr(sys, "argv", ["cogn", *args])
    with pytest.raises(SystemExit) as caught:
        main()
    out, err = capsys.readouterr()
    assert (caught.value.code, out) == (1, "")
    return err.partition("note: ")[0] + err.partition("\nerror")[2]


def test_a_current_lock_is_said_to_be_and_is_not_written(project: Path) -> None:
    path = write_lock(project)
    before = path.read_bytes(), path.stat().st_mtime_ns
    result = CliRunner().invoke(cogn, ["lock", "--check", str(project)])
    assert (result.exit_code, result.stdout) == (0, "")
    assert "cogn.lock is current: " in result.stderr
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


@pytest.mark.parametrize(
    ("changes", "arguments", "reason"),
    [
        (
            {"inputs": f"sha256:{HEX}"},
            (),
            "`cogn.lock` is out of date: cog.yaml, cogn.toml or the requirements have changed",
        ),
        ({}, ("--platform", "linux/arm64"), "`cogn.lock` is for linux/amd64, not for linux/arm64"),
        (
            {"server": ()},
            (),
            f"`cogn.lock` has another cogn-runtime than the {runtime_wheel().version} that this "
            "cogn brings",
        ),
    ],
)
def test_a_lock_that_is_not_current_is_told_with_the_reason(
    project: Path,
    changes: dict[str, Any],
    arguments: tuple[str, ...],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write_lock(project, **changes)
    before = path.read_bytes()
    error = fails(monkeypatch, capsys, "lock", "--check", str(project), *arguments)
    assert reason in error
    assert path.read_bytes() == before


def test_a_lock_that_is_not_there_is_not_current(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = fails(monkeypatch, capsys, "lock", "--check", str(project))
    assert "there is no `cogn.lock`" in error
    assert not (project / "cogn.lock").exists()


def options(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> lock_command.Options:
    """Return the options that these arguments come to."""
    given: list[lock_command.Options] = []
    monkeypatch.setattr(lock_command, "run", lambda _, options: given.append(options))
    result = CliRunner().invoke(cogn, ["lock", *arguments])
    assert result.exit_code == 0, result.output
    return given[0]


def test_an_upgrade_is_of_everything_or_of_the_packages_that_are_named(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = options(monkeypatch, "--upgrade", str(project))
    assert (everything.upgrade, everything.upgrade_only) == (True, frozenset())
    some = options(monkeypatch, "--upgrade=Num_Py", "--upgrade=torch", str(project))
    assert (some.upgrade, some.upgrade_only) == (False, frozenset({"num-py", "torch"}))


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-09-01", "2026-09-01T00:00:00Z"),
        ("2026-09-01T12:30:00+02:00", "2026-09-01T10:30:00Z"),
        ("2026-09-01T12:30:00Z", "2026-09-01T12:30:00Z"),
    ],
)
def test_a_day_begins_at_midnight_in_utc(
    written: str, moment: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = options(monkeypatch, f"--exclude-newer={written}", str(project))
    assert given.exclude_newer == moment


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--exclude-newer", "yesterday"), "`yesterday` is not like `2026-09-01`"),
        (("--exclude-newer", "2026-02-30"), "`2026-02-30` is not like `2026-09-01`"),
        (("--exclude-newer", "2026-09-01T12:00:00"), "is not like `2026-09-01`"),
        (("--upgrade=a b",), "`a b` is not the name of a package"),
        (("--check", "--upgrade"), "--check changes nothing"),
    ],
)
def test_options_that_mean_nothing_are_wrong_usage(
    arguments: tuple[str, ...], message: str, project: Path
) -> None:
    result = CliRunner().invoke(cogn, ["lock", *arguments, str(project)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in " ".join(result.stderr.split())
