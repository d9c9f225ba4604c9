"""Passwords and tokens are in the file that keeps them and nowhere else, whatever goes wrong."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.projects import COGN
from support.registry import (
    Answer,
    Basic,
    Bearer,
    CutRequest,
    Endpoint,
    FakeRegistry,
    Fault,
    SetHeader,
    Silence,
)
from support.sealed import SealedProject, sealed_project
from support.servers import ScriptedServer, wait_until

CORE = "s3cr3t-c0re"
"""Looks the same in a URL, in JSON and in quotes."""
PASSWORD = f'{CORE} +/"ü'
IDENTITY = "1dentity-t0ken"
BASIC = b64encode(f"me:{PASSWORD}".encode()).decode()
SECRETS = [CORE, IDENTITY, BASIC, b64encode(PASSWORD.encode()).decode()]
SECRETS += [b64encode(f"<token>:{IDENTITY}".encode()).decode()]

COMMAND = (
    sys.executable,
    "-c",
    f"import cogn.store.retry; cogn.store.retry._FIRST_WAIT = 0; {COGN[2]}",
)


@dataclass
class Place:
    """A home with a project, where cogn runs; all that it says is kept."""

    root: Path
    project: SealedProject
    said: list[str] = field(default_factory=list)

    @property
    def auth_file(self) -> Path:
        return self.root / "home/.docker/config.json"

    def log_in(self, host: str) -> None:
        """Write what `cogn login` writes."""
        self.write({"auths": {host: {"auth": BASIC}}})

    def write(self, content: object) -> None:
        self.auth_file.parent.mkdir(parents=True)
        self.auth_file.write_text(json.dumps(content))

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        hidden = ("REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "XDG_CONFIG_HOME")
        inherited = {name: value for name, value in os.environ.items() if name not in hidden}
        own = {
            "HOME": str(self.root / "home"),
            "XDG_RUNTIME_DIR": str(self.root / "run"),
            "COGN_CACHE": str(self.project.cache),
            "PATH": f"{self.root}:{os.environ['PATH']}",
        }
        return subprocess.Popen(
            [*COMMAND, *arguments],
            env=inherited | own | environment,
            cwd=self.root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, process: subprocess.Popen[str], given: str = "") -> int:
        """Wait for the end; return the status."""
        said = process.communicate(given, timeout=60)
        self.said += said
        return process.returncode

    def push(self, host: str, **environment: str) -> int:
        return self.end(self.start_push(host, **environment))

    def start_push(self, host: str, **environment: str) -> subprocess.Popen[str]:
        places = ("-o", f"oci:{self.root}/layout", "--push", f"{host}/team/model:1")
        return self.start("assemble", str(self.project.root), *places, **environment)

    def traces(self) -> Iterator[bytes]:
        """Yield all that was said and written, apart from the file that keeps the secret."""
        yield from (text.encode() for text in self.said)
        for path in self.root.rglob("*"):
            if path.is_file() and path != self.auth_file and path.parent != self.root:
                yield from readable(path.read_bytes())


def readable(data: bytes) -> list[bytes]:
    return [data, gzip.decompress(data)] if data.startswith(b"\x1f\x8b") else [data]


def assert_silent(place: Place, *registries: FakeRegistry) -> None:
    """No secret is anywhere: not in what was said, what was written, what is in the registry."""
    tokens: set[str] = set()
    traces = [*place.traces()]
    for registry in registries:
        for stored in registry.repositories.values():
            traces += (each for data in stored.blobs.values() for each in readable(data))
            traces += (manifest.data for manifest in stored.manifests.values())
        for request in registry.requests:
            traces.append(f"{request.path} {request.query}".encode())  # servers log these
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            tokens |= {token} if scheme == "Bearer" else set()
    for secret in (*SECRETS, *tokens):
        assert not any(secret.encode() in trace for trace in traces), secret
    assert not any("Traceback" in text for text in place.said), place.said[-1]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, sealed_project(tmp_path / "home/work"))


@pytest.mark.parametrize("auth", [Basic("me", PASSWORD), Bearer("me", PASSWORD)], ids=type)
def test_logging_in_and_pushing(auth: Basic | Bearer, place: Place) -> None:
    with FakeRegistry(auth=auth) as registry:
        login = place.start("login", registry.host, "-u", "me", "--password-stdin")
        assert place.end(login, f"{PASSWORD}\n") == 0
        assert BASIC in place.auth_file.read_text()
        assert place.push(registry.host) == 0
        assert_silent(place, registry)
        assert place.end(place.start("logout", registry.host)) == 0
    assert BASIC not in place.auth_file.read_text()


def test_pushing_with_an_identity_token(place: Place) -> None:
    with FakeRegistry(auth=Bearer("me", "x", identity_token=IDENTITY)) as registry:
        login = place.start("login", registry.host, "-u", "<token>", "--password-stdin")
        assert place.end(login, IDENTITY) == 0
        assert IDENTITY in place.auth_file.read_text()
        assert place.push(registry.host) == 0
        assert_silent(place, registry)


ECHO = f"me:{PASSWORD} is {BASIC}"
FAULTS = {
    "401": Fault(Answer(401, message=ECHO), on=Endpoint.UPLOAD_START),
    "403": Fault(Answer(403, message=ECHO), on=Endpoint.UPLOAD_START),
    "500": Fault(Answer(500, message=ECHO), on=Endpoint.MANIFEST_PUT),
    "a warning": Fault(SetHeader("Warning", f'299 - "{BASIC}"')),
    "another digest": Fault(SetHeader("Docker-Content-Digest", BASIC), on=Endpoint.UPLOAD_PUT),
    "a location": Fault(SetHeader("Location", f"http://[{BASIC}"), on=Endpoint.UPLOAD_START),
    "a redirection": Fault(
        Answer(307, headers={"Location": f"http://[{BASIC}"}), on=Endpoint.MANIFEST_PUT
    ),
    "a broken connection": Fault(CutRequest(), on=Endpoint.UPLOAD_PUT),
    "a token that is no text": Fault(Answer(200, body=b'{"token":"\xff"}'), on=Endpoint.TOKEN),
    "a token that is no token": Fault(
        Answer(200, body=json.dumps({"token": f"\n{BASIC}"}).encode()), on=Endpoint.TOKEN
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_registry_that_fails_and_repeats_what_it_was_told(fault: Fault, place: Place) -> None:
    with FakeRegistry(auth=Bearer("me", PASSWORD), faults=[fault]) as registry:
        place.log_in(registry.host)
        is_harmless = fault is FAULTS["a warning"]
        assert place.push(registry.host) == (0 if is_harmless else 1)
        assert_silent(place, registry)


@pytest.mark.parametrize("auth", [Basic("me", "other"), Bearer("me", "other")], ids=type)
def test_a_wrong_password(auth: Basic | Bearer, place: Place) -> None:
    with FakeRegistry(auth=auth) as registry:
        login = place.start("login", registry.host, "-u", "me", "--password-stdin")
        assert place.end(login, PASSWORD) == 1
        assert not place.auth_file.exists()
        place.log_in(registry.host)
        assert place.push(registry.host) == 1
        assert_silent(place, registry)


def test_an_interrupted_push(place: Place) -> None:
    silence = Fault(Silence(), on=Endpoint.UPLOAD_PUT)
    with FakeRegistry(auth=Bearer("me", PASSWORD), faults=[silence]) as registry:
        place.log_in(registry.host)
        process = place.start_push(registry.host)

        def is_sending() -> bool:
            return any(each.endpoint is Endpoint.UPLOAD_PUT for each in registry.requests)

        wait_until(is_sending, "the push")
        process.send_signal(signal.SIGINT)
        assert place.end(process) != 0
        assert_silent(place, registry)


def test_a_file_of_credentials_that_is_broken(place: Place) -> None:
    place.auth_file.parent.mkdir(parents=True)
    with FakeRegistry(auth=Basic("me", PASSWORD)) as registry:
        for text in (
            f'{{"auths": {{"{registry.host}": {{"auth": "{BASIC}"',
            f'{{"auths": {{"{registry.host}": {{"auth": ["{BASIC}"]}}}}}}',
            f'{{"auths": {{"{registry.host}": {{"auth": "!{BASIC}"}}}}}}',
        ):
            place.auth_file.write_text(text)
            assert place.push(registry.host) == 1
        assert_silent(place, registry)


def test_a_helper_that_says_too_much(place: Place) -> None:
    helper = place.root / "docker-credential-chatty"
    helper.write_text(f"#!/bin/sh\necho '{PASSWORD}'\necho '{PASSWORD}' >&2\nexit 1\n")
    helper.chmod(0o700)
    place.write({"credsStore": "chatty"})
    with FakeRegistry(auth=Basic("me", PASSWORD)) as registry:
        assert place.push(registry.host) == 1
        assert_silent(place, registry)


@pytest.mark.parametrize(
    "proxy",
    [
        f"http://me:{CORE}@127.0.0.1:1",
        f"http://me:{CORE}@{{refusing}}",
        f"http://me:{CORE}/@127.0.0.1:1",
        f"ftp://me:{CORE}@127.0.0.1:1",
        f"socks5://me:{CORE}@127.0.0.1:1",
    ],
    ids=["out of reach", "refusing", "no URL", "no proxy", "SOCKS"],
)
def test_a_proxy_that_does_not_help(proxy: str, place: Place) -> None:
    with ScriptedServer([(407, CORE.encode())]) as server:
        refusing = server.url.removeprefix("http://").rstrip("/")
        status = place.push("registry.example.com", HTTPS_PROXY=proxy.format(refusing=refusing))
    assert status == 1
    assert_silent(place)
