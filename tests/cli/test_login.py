"""`cogn login` and `cogn logout`, against a registry that knows a user."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.registry import Basic, Bearer, FakeRegistry

SECRET = "do-not-say-this"
HELPER = "#!/bin/sh\ntest $1 = store && cat > $0.$1 || { cat > /dev/null; exit 1; }\n"


@pytest.fixture(params=[Basic, Bearer])
def registry(request: pytest.FixtureRequest) -> Iterator[FakeRegistry]:
    with FakeRegistry(auth=request.param("me", SECRET)) as fake:
        yield fake


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cogn(*arguments: str, given: str | bytes | None = None) -> tuple[int, str]:
    """Run the command as a shell would; return its status and what it says, never the secret."""
    ended = subprocess.run(
        [sys.executable, "-c", "from cogn.cli.main import main; main()", *arguments],
        input=given.encode() if isinstance(given, str) else given,
        stdin=subprocess.DEVNULL if given is None else None,
        capture_output=True,
        check=False,
    )
    assert ended.stdout == b""
    said = ended.stderr.decode()
    assert SECRET not in said
    assert base64.b64encode(f"me:{SECRET}".encode()).decode() not in said
    return ended.returncode, said


def auths(home: Path) -> object:
    return json.loads((home / ".docker/config.json").read_text())["auths"]


def test_a_credential_is_checked_kept_and_removed(registry: FakeRegistry, home: Path) -> None:
    host, path = registry.host, home / ".docker/config.json"
    status, said = cogn("login", f"http://{host}/", "-u", "me", "--password-stdin", given="wrong\n")
    assert (status, path.exists()) == (1, False)
    assert said.startswith("error: ")
    assert host in said
    login = ("login", host, "--username", "me", "--password-stdin")
    assert cogn(*login, given=f"{SECRET}\r\n") == (
        0,
        f"Logged in to `{host}`\n"
        f"warning: the password is not encrypted in `{path}`\n"
        "  hint: a credential helper keeps it better: name one as `credsStore` in that file\n",
    )
    entry = {"auth": base64.b64encode(f"me:{SECRET}".encode()).decode()}
    assert auths(home) == {host: entry}
    assert cogn("logout", host) == (0, f"Logged out of `{host}`: removed from `{path}`\n")
    assert auths(home) == {}
    assert cogn("logout", host) == (0, f"Not logged in to `{host}`\n")


def test_a_helper_keeps_it_when_docker_has_one(registry: FakeRegistry, home: Path) -> None:
    helper = home / "docker-credential-mine"
    helper.write_text(HELPER)
    helper.chmod(0o700)
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text('{"credsStore": "mine"}')
    said = cogn("login", registry.host, "-u", "me", "--password-stdin", given=SECRET)
    assert said == (
        0,
        f"Logged in to `{registry.host}`; `docker-credential-mine` keeps the password\n",
    )
    assert json.loads((home / "docker-credential-mine.store").read_text()) == {
        "ServerURL": registry.host,
        "Username": "me",
        "Secret": SECRET,
    }
    assert auths(home) == {registry.host: {}}


def test_a_terminal_is_asked_and_does_not_show_the_password(home: Path) -> None:
    with FakeRegistry(auth=Basic("me", SECRET)) as registry:
        master, slave = os.openpty()
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from cogn.cli.main import main; main()",
                "login",
                registry.host,
            ],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        seen = b""
        for question, answer in ((b"Username: ", "me\n"), (b"Password: ", f"{SECRET}\n")):
            while not seen.endswith(question):
                seen += os.read(master, 1)
            os.write(master, answer.encode())
        process.wait(30)
        seen += os.read(master, 1 << 16)
        os.close(master)
    assert process.returncode == 0
    assert f"Logged in to `{registry.host}`".encode() in seen
    assert SECRET.encode() not in seen
    assert auths(home) == {registry.host: {"auth": "bWU6ZG8tbm90LXNheS10aGlz"}}


@pytest.mark.parametrize(
    ("arguments", "given", "said"),
    [
        (
            ("r.example", "-u", "me"),
            None,
            "error: there is no terminal to ask for the username and the password\n\n"
            "hint: give them with `--username NAME --password-stdin`\n",
        ),
        (("r.example", "-u", "me", "--password-stdin"), "\n", "error: the password is empty\n"),
        (
            ("r.example", "-u", "a:b", "--password-stdin"),
            SECRET,
            "error: `a:b` cannot be a username\n",
        ),
        (
            ("r.example", "-u", "me", "--password-stdin"),
            SECRET.encode() + b"\xff",
            "error: the password on stdin is not UTF-8\n",
        ),
        *(
            (
                (name, "-u", "me", "--password-stdin"),
                SECRET,
                f"error: `{name}` is not the name of a registry\n\n"
                "hint: write it as `registry.example.com` or `localhost:5000`\n",
            )
            for name in ("registry", "r.example/team", "r.example:x", "")
        ),
    ],
)
def test_what_cannot_be_a_login_is_told(
    arguments: tuple[str, ...], given: str | bytes | None, said: str, home: Path
) -> None:
    assert cogn("login", *arguments, given=given) == (1, said)
    assert list(home.iterdir()) == []
