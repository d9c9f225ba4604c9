"""Credentials: read as Docker and podman write them, written as they read them, never said."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from cogn.store.errors import CredentialsError
from cogn.store.registry import credential_helper
from cogn.store.registry.credentials import Credential, Credentials
from support.registry import Basic, FakeRegistry

SECRET = "do-not-say-this"  # in no output of this test run
HELPER = """\
#!{python}
import json, os, pathlib, sys
kept = pathlib.Path(__file__).with_suffix(".json")
known = json.loads(kept.read_text()) if kept.exists() else {{}}
given = sys.stdin.read()
with open(__file__ + ".log", "a") as log:
    print(sys.argv[1], given if sys.argv[1] != "store" else "...", file=log)
if sys.argv[1] == "store":
    credential = json.loads(given)
    known[credential["ServerURL"]] = credential
elif given not in known:
    print("credentials not found in native keychain")
    sys.exit(1)
elif sys.argv[1] == "get":
    print(json.dumps(known[given]))
else:
    del known[given]
kept.write_text(json.dumps(known))
"""


def basic(username: str, secret: str) -> str:
    return base64.b64encode(f"{username}:{secret}".encode()).decode()


class House:
    """A home directory with the files that are looked for."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.podman = root / "run/containers/auth.json"
        self.user = root / ".config/containers/auth.json"
        self.docker = root / ".docker/config.json"
        self.old = root / ".dockercfg"
        self.explicit = root / "explicit.json"
        self.environ = {
            "HOME": str(root),
            "PATH": f"{root}{os.pathsep}{os.environ['PATH']}",
            "XDG_RUNTIME_DIR": str(root / "run"),
        }

    def write(self, path: Path, content: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))

    def helper(self, name: str, script: str = HELPER, known: object = None) -> Path:
        """Install a helper that knows credentials; return the path of its log."""
        path = self.root / f"docker-credential-{name}"
        path.write_text(script.format(python=sys.executable))
        path.chmod(0o700)
        path.with_suffix(".json").write_text(json.dumps(known or {}))
        return Path(f"{path}.log")

    @property
    def credentials(self) -> Credentials:
        return Credentials.find(self.environ)

    def find(self, host: str, repository: str = "team/model") -> tuple[str, str] | None:
        found = self.credentials.for_repository(host, repository)
        return None if found is None else (found.username, found.secret)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def fails(act: Callable[[], object]) -> CredentialsError:
    """Return the error of `act`, which is silent about the secret in all that it says or holds."""
    with pytest.raises(CredentialsError) as caught:
        act()
    error = caught.value
    shown = "".join(traceback.format_exception(error)) + repr(vars(error))
    cause: BaseException | None = error
    while cause is not None:
        shown += repr(vars(cause)) + repr(getattr(cause, "doc", "")) + repr(cause.args)
        cause = cause.__cause__ or cause.__context__
    assert SECRET not in shown
    assert basic("me", SECRET) not in shown
    return error


@pytest.mark.parametrize(
    ("auths", "host", "username"),
    [
        ({"r.example": "r"}, "r.example", "r"),
        ({"https://r.example": "r"}, "r.example", "r"),
        ({"http://r.example:5000/v1/": "r"}, "r.example:5000", "r"),
        ({"https://r.example/v2/": "url", "r.example": "name"}, "r.example", "name"),
        ({"r.example:5000": "r"}, "r.example", None),
        ({"r.example/team/model": "1", "r.example/team": "2", "r.example": "3"}, "r.example", "1"),
        ({"r.example/team": "2", "r.example": "3"}, "r.example", "2"),
        ({"r.example/tea": "2", "r.example/model": "3"}, "r.example", None),
        ({"https://index.docker.io/v1/": "hub"}, "docker.io", "hub"),
        ({"docker.io": "hub"}, "docker.io", "hub"),
        ({"registry-1.docker.io": "hub"}, "docker.io", "hub"),
        (
            {"https://index.docker.io/v1/access-token": "1", "https://index.docker.io/v1/": "2"},
            "docker.io",
            "2",
        ),
    ],
)
def test_a_registry_is_found_in_every_spelling_the_longest_first(
    auths: dict[str, str], host: str, username: str | None, house: House
) -> None:
    entries = {key: {"auth": basic(user, SECRET)} for key, user in auths.items()}
    house.write(house.docker, {"auths": entries})
    assert house.find(host) == (username and (username, SECRET))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"auth": basic("me", "a:b\0\0")}, Credential("me", "a:b")),
        ({"username": "me", "password": SECRET}, Credential("me", SECRET)),
        (
            {"auth": basic("0000", ""), "identitytoken": SECRET},
            Credential("<token>", SECRET),
        ),
        ({"registrytoken": SECRET}, Credential("", SECRET, is_registry_token=True)),
        ({"email": "me@example.com"}, None),
        ({"auth": basic("me", "")}, None),
        ({}, None),
        (None, None),
    ],
)
def test_an_entry_is_read_as_docker_means_it(
    entry: object, expected: Credential | None, house: House
) -> None:
    house.write(house.docker, {"auths": {"r.example": entry}})
    found = house.credentials.for_repository("r.example", "model")
    assert found == expected
    assert found is None or found.is_identity_token == (found.username == "<token>")


def test_files_are_asked_in_order(house: House) -> None:
    files = [house.podman, house.user, house.docker]
    for path in files:
        house.write(path, {"auths": {"r.example": {"auth": basic(path.parent.name, SECRET)}}})
    house.write(house.old, {"https://r.example/v1/": {"auth": basic("old", SECRET)}})
    house.write(house.explicit, {"auths": {}})
    for path in [*files, house.old]:
        name = "old" if path == house.old else path.parent.name
        assert house.find("r.example") == (name, SECRET)
        path.unlink()
    assert house.find("r.example") is None
    house.write(house.docker, {"auths": {"r.example": {"auth": basic("me", SECRET)}}})
    house.environ["REGISTRY_AUTH_FILE"] = str(house.explicit)
    assert house.find("r.example") is None


def test_docker_config_and_xdg_config_home_move_the_files(house: House) -> None:
    house.environ |= {
        "DOCKER_CONFIG": str(house.root / "docker"),
        "XDG_CONFIG_HOME": str(house.root / "xdg"),
    }
    house.write(house.root / "docker/config.json", {"auths": {"a": {"auth": basic("a", "1")}}})
    house.write(
        house.root / "xdg/containers/auth.json", {"auths": {"b": {"auth": basic("b", "2")}}}
    )
    assert (house.find("a"), house.find("b")) == (("a", "1"), ("b", "2"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f'{{"auths":\n{{"{SECRET}"', ":2: not a JSON object with credentials"),
        (f'["{SECRET}"]', ": not a JSON object with credentials"),
        ("[" * 100_000, ": not a JSON object with credentials"),
        ({"auths": [SECRET]}, ", `auths`: expected an object"),
        ({"auths": {"r.example": SECRET}}, ", `r.example`: expected an object"),
        ({"auths": {"r.example": {"auth": [SECRET]}}}, ", `auth`: expected a string"),
        (
            {"auths": {"r.example": {"auth": basic("me", SECRET) + "é"}}},
            ", `r.example`: `auth` is not `username:password` in Base64",
        ),
        (
            {"auths": {"r.example": {"auth": SECRET}}},
            ", `r.example`: `auth` is not `username:password` in Base64",
        ),
        ({"credHelpers": {"r.example": {"x": SECRET}}}, ", `r.example`: expected a string"),
        ({"credsStore": "../x"}, ": names a credential helper that cannot be"),
    ],
)
def test_a_broken_file_is_named_and_not_quoted(content: object, message: str, house: House) -> None:
    house.write(house.docker, content)
    error = fails(lambda: house.find("r.example"))
    assert str(error) == f"{house.docker}{message}"


def test_a_file_that_is_no_text_is_named(house: House) -> None:
    house.write(house.docker, "")
    assert house.find("r.example") is None
    house.docker.write_bytes(b"\xff" + SECRET.encode())
    assert "not a JSON object" in str(fails(lambda: house.find("r.example")))
    house.docker.unlink()
    house.docker.mkdir()
    assert str(fails(lambda: house.find("r.example"))) == (
        f"{house.docker}: cannot read the file: Is a directory"
    )


def test_helpers_are_asked_as_docker_asks_them_and_once(house: House) -> None:
    def known(server: str, username: str) -> dict[str, object]:
        return {server: {"ServerURL": server, "Username": username, "Secret": SECRET}}

    hub = "https://index.docker.io/v1/"
    log = house.helper("all", known=known(hub, "hub") | known("r.example", "all"))
    one = house.helper("one", known=known("one.example", "<token>"))
    plain = {"auth": basic("plain", SECRET)}
    house.write(
        house.docker,
        {
            "credsStore": "all",
            "credHelpers": {"one.example": "one"},
            "auths": {"r.example": {}, "other.example": plain, "r.example/own": plain},
        },
    )
    credentials = house.credentials
    for host, repository, username in (
        ("docker.io", "library/model", "hub"),
        ("r.example", "model", "all"),
        ("r.example", "model", "all"),
        ("r.example", "another", "all"),
        ("r.example", "own/model", "plain"),
        ("one.example", "model", "<token>"),
        ("other.example", "model", "plain"),
        ("unknown.example", "model", None),
    ):
        found = credentials.for_repository(host, repository)
        assert (found and found.username) == username
    assert log.read_text().splitlines() == [
        f"get {hub}",
        "get r.example",
        "get other.example",
        "get unknown.example",
    ]
    assert one.read_text().splitlines() == ["get one.example"]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (None, "the credential helper `docker-credential-x` is not installed"),
        (
            "no program",
            "cannot start the credential helper `docker-credential-x`: Exec format error",
        ),
        (
            "#!/bin/sh\necho " + SECRET + "; exit 3",
            "`docker-credential-x get` failed with status 3",
        ),
        (
            '#!/bin/sh\necho \'{{"Secret": ["' + SECRET + "\"]}}'",
            "`docker-credential-x get` did not print a credential",
        ),
        ("#!/bin/sh\necho " + SECRET, "`docker-credential-x get` did not print a credential"),
        (
            f"#!/bin/sh\necho {SECRET}; sleep 30 & wait",
            "`docker-credential-x get` did not answer within 0.2 s",
        ),
    ],
)
def test_a_helper_that_fails_is_named_with_its_file(
    script: str | None,
    message: str,
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(credential_helper, "_SECONDS", 0.2)
    house.write(house.docker, {"credHelpers": {"r.example": "x"}})
    if script is not None:
        house.helper("x", script)
    begin = time.monotonic()
    error = fails(lambda: house.find("r.example"))
    assert str(error) == f"{house.docker}: {message}"
    assert time.monotonic() - begin < 10
    assert capfd.readouterr() == ("", "")


def test_storing_keeps_all_else_and_lets_nobody_read_it(house: House) -> None:
    target = house.root / "dotfiles/docker.json"
    house.write(
        target,
        {
            "auths": {
                "https://r.example": {"auth": basic("old", "old")},
                "r.example/team": {"auth": basic("robot", "own")},
                "other.example": {"auth": basic("other", "x"), "email": "a@b.c"},
            },
            "detachKeys": "ctrl-é",
            "big": 123456789012345678901234567890,
        },
    )
    target.chmod(0o644)
    house.docker.parent.mkdir()
    house.docker.symlink_to(target)
    house.write(house.podman, {"auths": {"r.example": {"auth": basic("stale", "stale")}}})
    kept = house.credentials.store("r.example", Credential("me", SECRET))
    assert (kept.place, kept.is_plain) == (str(house.docker), True)
    assert house.docker.is_symlink()
    assert (target.stat().st_mode & 0o777, [*target.parent.iterdir()]) == (0o600, [target])
    assert json.loads(target.read_text()) == {
        "auths": {
            "r.example/team": {"auth": basic("robot", "own")},
            "other.example": {"auth": basic("other", "x"), "email": "a@b.c"},
            "r.example": {"auth": basic("me", SECRET)},
        },
        "detachKeys": "ctrl-é",
        "big": 123456789012345678901234567890,
    }
    assert house.find("r.example", "model") == ("me", SECRET)
    assert house.find("r.example", "team/model") == ("robot", "own")


def test_storing_makes_what_is_missing(house: House) -> None:
    house.credentials.store("docker.io", Credential("<token>", SECRET))
    assert house.docker.parent.stat().st_mode & 0o777 == 0o700
    assert house.docker.stat().st_mode & 0o777 == 0o600
    assert json.loads(house.docker.read_text())["auths"] == {
        "https://index.docker.io/v1/": {"auth": basic("<token>", ""), "identitytoken": SECRET}
    }
    found = house.credentials.for_repository("docker.io", "library/model")
    assert found == Credential("<token>", SECRET)


def test_what_cannot_be_written_is_an_error_and_stays_as_it_was(house: House) -> None:
    house.write(house.root / ".docker", "a file")
    error = fails(lambda: house.credentials.store("r.example", Credential("me", SECRET)))
    assert str(error).startswith(f"{house.docker}: cannot write the file: ")
    house.environ["REGISTRY_AUTH_FILE"] = str(house.explicit)
    house.write(house.explicit, "[broken")
    fails(lambda: house.credentials.store("r.example", Credential("me", SECRET)))
    assert house.explicit.read_text() == "[broken"


def test_a_helper_keeps_and_forgets(house: House) -> None:
    house.helper("all")
    house.write(house.docker, {"credsStore": "all", "auths": {"r.example": {"auth": "bWU6b2xk"}}})
    kept = house.credentials.store("r.example", Credential("me", SECRET))
    assert (kept.place, kept.is_plain) == ("docker-credential-all", False)
    assert json.loads(house.docker.read_text()) == {"credsStore": "all", "auths": {"r.example": {}}}
    assert house.find("r.example") == ("me", SECRET)
    assert house.credentials.erase("r.example") == ("docker-credential-all",)
    assert house.find("r.example") is None
    assert house.credentials.erase("r.example") == ()
    house.helper("all", "#!/bin/sh\nexit 1")
    fails(lambda: house.credentials.store("r.example", Credential("me", SECRET)))


def test_the_helper_that_a_file_names_for_one_registry_comes_before_dockers_file(
    house: House,
) -> None:
    house.helper("one")
    house.write(house.podman, {"credHelpers": {"r.example": "one"}})
    kept = house.credentials.store("r.example", Credential("me", SECRET))
    assert (kept.place, house.docker.exists()) == ("docker-credential-one", False)
    assert house.find("r.example") == ("me", SECRET)


def test_erasing_is_done_wherever_it_would_be_found(house: House) -> None:
    house.helper("all")
    entry = {"auth": basic("me", SECRET)}
    house.write(house.podman, {"auths": {"docker.io": entry, "r.example": entry}})
    house.write(
        house.docker, {"auths": {"https://index.docker.io/v1/": entry}, "credsStore": "all"}
    )
    house.write(house.old, {"https://index.docker.io/v1/": entry})
    found = house.credentials.erase("docker.io")
    assert found == (str(house.podman), str(house.docker), str(house.old))
    assert house.find("docker.io") is None
    assert house.find("r.example") == ("me", SECRET)


def test_no_representation_says_the_secret() -> None:
    assert SECRET not in repr(Credential("me", SECRET))


def run(
    *command: str | Path, given: str | None = None, environ: dict[str, str] | None = None
) -> str:
    arguments = [*map(str, command)]
    ended = subprocess.run(
        arguments, input=given, env=environ, check=False, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.mark.podman
def test_skopeo_and_podman_read_what_cogn_writes_and_the_other_way_round(house: House) -> None:
    credentials = Credential("me", "p:ä ss")
    with FakeRegistry(auth=Basic(credentials.username, credentials.secret)) as registry:
        host = registry.host
        for name in ("skopeo", "podman"):
            file = house.root / f"{name}.json"
            run(
                *(name, "login", "--authfile", file, "--tls-verify=false"),
                *("--username", credentials.username, "--password-stdin", host),
                given=credentials.secret,
            )
            house.environ["REGISTRY_AUTH_FILE"] = str(file)
            assert house.credentials.for_repository(host, "x") == credentials
        del house.environ["REGISTRY_AUTH_FILE"]
        for each in (host, "docker.io"):
            house.credentials.store(each, credentials)
            for name in ("skopeo", "podman"):
                said = run(name, "login", "--get-login", each, environ=house.environ)
                assert said == credentials.username
        ended = run(
            *("skopeo", "login", "--tls-verify=false", "--authfile", house.docker, host),
            environ=house.environ,
        )
        assert "Existing credentials are valid" in ended
        run("podman", "logout", "--authfile", house.docker, host)
        assert house.find(host) is None
