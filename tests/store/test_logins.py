"""Who to be at the places of wheels: from everything that uv knows, and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cogn.store.logins import Logins
from cogn.store.origins import Origins
from cogn.store.uv import uv_program

WHEEL = "https://index.example/team/leaf/leaf-1.0-py3-none-any.whl"


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing of this machine's user be known."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("UV_CREDENTIALS_DIR", str(tmp_path / "credentials"))
    (tmp_path / "home/uv").mkdir(parents=True)
    for name in ("NETRC", "UV_INDEX", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)


def login(directory: Path, *options: str, url: str = WHEEL) -> str:
    """Return the user and the password for a place, or nothing."""
    added = Logins(directory, Origins(options=options)).add(url)
    return added.removeprefix("https://").rpartition("index.example")[0].rstrip("@")


def test_nobody_is_known_by_default(tmp_path: Path) -> None:
    assert login(tmp_path) == ""


@pytest.mark.parametrize("name", ["UV_INDEX", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL"])
def test_addresses_in_the_environment_of_uv_count(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "https://other.example/ https://me:p%40ss@index.example/team/simple")
    assert login(tmp_path) == "me:p%40ss"


@pytest.mark.parametrize("file", ["uv.toml", "pyproject.toml", "home/uv/uv.toml"])
def test_addresses_in_the_configuration_of_uv_count(file: str, tmp_path: Path) -> None:
    table = "[tool.uv]\n" if file == "pyproject.toml" else ""
    text = f'{table}extra-index-url = ["https://me:secret@index.example/"]\n'
    (tmp_path / file).write_text(text)
    assert login(tmp_path) == "me:secret"


def test_variables_for_an_index_by_its_name_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = '[[index]]\nname = "my-corp"\nurl = "https://index.example/simple"\n'
    (tmp_path / "uv.toml").write_text(index)
    monkeypatch.setenv("UV_INDEX_MY_CORP_USERNAME", "me")
    monkeypatch.setenv("UV_INDEX_MY_CORP_PASSWORD", "p@ss")
    assert login(tmp_path) == "me:p%40ss"


def test_the_index_with_the_nearest_address_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "right")
    options = (
        "--index-url https://one:wrong@index.example/other/simple",
        "--extra-index-url https://two:${TOKEN}@index.example/team/simple",
        "--find-links https://three:wrong@elsewhere.example/team/leaf",
    )
    assert login(tmp_path, *options) == "two:right"


def test_netrc_counts_and_a_broken_one_does_not(tmp_path: Path) -> None:
    (tmp_path / "home/.netrc").write_text("machine index.example login me password secret\n")
    assert login(tmp_path) == "me:secret"
    (tmp_path / "home/.netrc").write_text("machine\n")
    assert login(tmp_path) == ""


def test_what_uv_auth_keeps_counts(tmp_path: Path) -> None:
    command = [uv_program(), "auth", "login", "https://index.example/", "--username", "me"]
    subprocess.run([*command, "--password", "secret"], check=True, capture_output=True)
    assert login(tmp_path) == "me:secret"


def test_a_place_that_has_a_user_already_or_is_a_file_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "home/.netrc").write_text("default login me password secret\n")
    for url in ("https://you:x@index.example/a.whl", "file:///a.whl"):
        assert Logins(tmp_path, Origins()).add(url) == url
