"""Pushing to a registry that fails in every way known: what is there afterwards is right."""

from __future__ import annotations

import json
import random
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import anyio
import msgspec
import pytest

from cogn.report import Reporter
from cogn.store.errors import RegistryError, UnknownBlobError
from cogn.store.registry import (
    Blob,
    Reference,
    Registries,
    RegistryConfiguration,
    Repository,
    attach,
    attached,
    blob_of_bytes,
)
from cogn.store.registry.upload import UploadTraits
from support import registry as fake
from support.registry import Answer, Endpoint, FakeRegistry, Fault, first, nth

MEBIBYTE = 1 << 20
WHOLE = blob_of_bytes(random.Random(1).randbytes(MEBIBYTE), "whole")
"""Goes in one piece."""
CHUNKED = blob_of_bytes(random.Random(2).randbytes(7 * MEBIBYTE // 2), "chunked")
"""Goes in four chunks."""
LOCK_TYPE = "application/vnd.example.lock"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Small chunks and short waits; credentials for the registries of these tests."""
    monkeypatch.setattr("cogn.store.retry._FIRST_WAIT", 0.001)
    monkeypatch.setattr("cogn.store.registry.session.PATIENCE", 0.7)
    traits = partial(UploadTraits, largest_whole=3 * MEBIBYTE // 2, chunk=MEBIBYTE)
    monkeypatch.setattr("cogn.store.registry.registries.UploadTraits", traits)
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))


class Journal(Reporter):
    """Keeps warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str, *, hint: str | None = None) -> None:
        self.warnings.append(message)


def log_in(host: str, tmp_path: Path, user: str = "me", secret: str = "secret") -> None:
    auth = b64encode(f"{user}:{secret}".encode()).decode()
    (tmp_path / "auth.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))


def run(
    registry: FakeRegistry,
    action: Callable[[Repository], object],
    repository: str = "team/model",
    reporter: Reporter | None = None,
) -> None:
    async def main() -> None:
        async with Registries.open(RegistryConfiguration.load(), reporter or Reporter()) as each:
            reference = Reference.parse(f"{registry.host}/{repository}:1")
            await action(await each.push_target(reference))  # type: ignore[misc]

    anyio.run(main)


def manifest(*blobs: Blob) -> bytes:
    config = blob_of_bytes(b"{}", "config")
    return msgspec.json.encode(
        {
            "schemaVersion": 2,
            "mediaType": fake.OCI_MANIFEST,
            "config": {"mediaType": "a/b", "digest": config.digest, "size": config.size},
            "layers": [
                {"mediaType": "a/b", "digest": each.digest, "size": each.size} for each in blobs
            ],
        }
    )


async def push(
    repository: Repository, blobs: Sequence[Blob] = (CHUNKED, WHOLE), sources: Sequence[str] = ()
) -> None:
    """Push an image of these blobs, and its lock."""
    for blob in (*blobs, blob_of_bytes(b"{}", "config")):
        if not await repository.has_blob(blob.digest):
            await repository.put_blob(blob, sources)
    data = manifest(*blobs)
    await repository.put_manifest(fake.OCI_MANIFEST, data, "1")
    subject = {"mediaType": fake.OCI_MANIFEST, "digest": fake.digest_of(data), "size": len(data)}
    await attach(repository, subject, b"the lock", media_type=LOCK_TYPE, name="cogn.lock")
    assert await attached(repository, fake.digest_of(data), LOCK_TYPE) == b"the lock"


def assert_pushed(registry: FakeRegistry, *blobs: Blob) -> None:
    stored = registry.repositories["team/model"]
    for blob in blobs:
        assert fake.digest_of(stored.blobs[blob.digest]) == blob.digest
    assert stored.tags["1"] == fake.digest_of(manifest(*blobs))


def sent_of(registry: FakeRegistry) -> int:
    """Return the bytes of all bodies that were read."""
    return sum(request.received for request in registry.requests)


MODEST = 100_000
"""More than what all but the blobs takes."""
SIZE = CHUNKED.size + WHOLE.size
PUT, PATCH, START = Endpoint.UPLOAD_PUT, Endpoint.UPLOAD_PATCH, Endpoint.UPLOAD_START

PASSING = {
    "nothing": ([], 0),
    "no answer at first": ([Fault(fake.CutResponse(), on=Endpoint.PING, times=first(1))], 0),
    "silence at first": ([Fault(fake.Silence(), on=Endpoint.PING, times=first(1))], 0),
    **{
        f"{status} on {endpoint}": ([Fault(Answer(status), on=endpoint, times=first(2))], extra)
        for status in (408, 429, 500, 502, 503, 504)
        for endpoint, extra in (
            (Endpoint.PING, 0),
            (Endpoint.BLOB_HEAD, 0),
            (START, 0),
            (PUT, 2 * WHOLE.size),
            (PATCH, 2 * MEBIBYTE),
            (Endpoint.MANIFEST_PUT, 0),
        )
    },
    "Retry-After in seconds": ([Fault(Answer(429, retry_after=0), on=START, times=first(3))], 0),
    "Retry-After as a date": (
        [Fault(Answer(503, retry_after=0, dated=True), on=START, times=first(3))],
        0,
    ),
    "an answer before the body is read": (
        [Fault(Answer(500, early=True), on=PUT, times=first(1))],
        WHOLE.size,
    ),
    "a location that is a path": ([Fault(fake.Location("path"))], 0),
    "a location that is a name": ([Fault(fake.Location("name"))], 0),
    "a location with a query": ([Fault(fake.Location("query"))], 0),
    "a location with a state": ([Fault(fake.Location("state"))], 0),
    "a location elsewhere": ([Fault(fake.Location("elsewhere"))], 0),
    "a redirected upload": ([Fault(fake.Redirect(307), on=START)], 0),
    "a redirected PUT": ([Fault(fake.Redirect(307), on=PUT, times=first(2))], 0),
    "a redirected PATCH": ([Fault(fake.Redirect(308), on=PATCH, times=first(2))], 0),
    "a redirected GET": ([Fault(fake.Redirect(307), on=Endpoint.BLOB_GET)], 0),
    "chunks of some length": ([Fault(fake.ChunkLimits(shortest=2 * MEBIBYTE))], 0),
    "chunks of little length": ([Fault(fake.ChunkLimits(longest=MEBIBYTE // 4))], 0),
    "no chunks (404)": ([Fault(Answer(404, code="UNSUPPORTED"), on=PATCH)], MEBIBYTE),
    "no chunks (405)": ([Fault(Answer(405), on=PATCH)], MEBIBYTE),
    "no chunks (416)": ([Fault(Answer(416), on=PATCH)], MEBIBYTE),
    "no large bodies": ([Fault(fake.MaxBody(MEBIBYTE // 2), on=PUT)], 2 * WHOLE.size),
    "201 on PATCH": ([Fault(fake.CreatedOnPatch())], 0),
    "a chunk cut off": (
        [Fault(fake.CutRequest(after=MEBIBYTE // 2), on=PATCH, times=nth(2))],
        MEBIBYTE,
    ),
    "a chunk cut off in order": (
        [Fault(fake.CutRequest(after=1000, kept=10, reset=False), on=PATCH, times=nth(3))],
        MEBIBYTE,
    ),
    "a chunk cut off, with a stale state": (
        [
            Fault(fake.Location("state")),
            Fault(fake.CutRequest(after=MEBIBYTE // 2), on=PATCH, times=nth(2)),
        ],
        2 * MEBIBYTE,
    ),
    "a PUT cut off": (
        [Fault(fake.CutRequest(after=1000), on=PUT, times=first(2))],
        2 * WHOLE.size,
    ),
    "no answer to a chunk": ([Fault(fake.CutResponse(), on=PATCH, times=nth(2))], 0),
    "half an answer to a chunk": ([Fault(fake.CutResponse(after=30), on=PATCH, times=nth(2))], 0),
    "no answer to a PUT": ([Fault(fake.CutResponse(reset=False), on=PUT, times=first(2))], 0),
    "no answer to a manifest": (
        [Fault(fake.CutResponse(after=12), on=Endpoint.MANIFEST_PUT, times=first(1))],
        0,
    ),
    "416 on a resumed chunk": (
        [Fault(Answer(416), on=PATCH, times=nth(3))],
        MEBIBYTE,
    ),
    "a part of a chunk is kept": ([Fault(fake.KeepPart(1000), on=PATCH, times=nth(2))], MEBIBYTE),
    "what was acknowledged is lost": (
        [Fault(fake.LoseTail(MEBIBYTE + 5), on=PATCH, times=nth(3))],
        4 * MEBIBYTE,
    ),
    "a wrong range": (
        [Fault(fake.MisreportRange(by=-7), on=PATCH, times=nth(2))],
        4 * MEBIBYTE,
    ),
    "a lost session": ([Fault(fake.LoseUpload(), on=PATCH, times=nth(3))], 4 * MEBIBYTE),
    "a lost session at the end": ([Fault(fake.LoseUpload(), on=PUT, times=first(1))], SIZE),
    "HEAD says that nothing is there": (
        [Fault(Answer(404), on=Endpoint.BLOB_HEAD)],
        MODEST,
    ),
    "HEAD gives a wrong length": (
        [Fault(fake.SetHeader("Content-Length", "12"), on=Endpoint.BLOB_HEAD)],
        0,
    ),
    "cookies": ([Fault(fake.Cookies())], 0),
    "no referrers": ([Fault(fake.NoReferrers())], 0),
    "an answer that drips": (
        [Fault(fake.SlowResponse(step=1, interval=0.1), on=START, times=first(1))],
        0,
    ),
    "a registry that falls silent": ([Fault(fake.Silence(30), on=PATCH, times=nth(2))], MEBIBYTE),
    "an error page": (
        [
            Fault(
                Answer(502, body=b"<html>" + b"x" * 200_000, headers={"X-Empty": ""}),
                on=START,
                times=first(1),
            )
        ],
        0,
    ),
}


LEAVING = {"a chunk cut off, with a stale state", "an answer that drips"}
"""What leaves an upload open that the client cannot name any more."""


@pytest.mark.parametrize(("faults", "extra"), PASSING.values(), ids=PASSING)
def test_what_passes_is_overcome_and_little_is_sent_twice(faults: list[Fault], extra: int) -> None:
    with FakeRegistry(faults=faults) as registry:
        run(registry, push)
        assert_pushed(registry, CHUNKED, WHOLE)
        assert sent_of(registry) <= SIZE + extra + MODEST
        assert not any(r.authorization for r in registry.requests if r.elsewhere)


def test_what_is_there_is_not_sent() -> None:
    with FakeRegistry() as registry:
        run(registry, push)
        before = sent_of(registry)
        run(registry, push)
        assert sent_of(registry) - before < 2_000


MOUNTS = {
    "202 on mount": [Fault(fake.DeclineMount(), on=Endpoint.MOUNT)],
    **{
        f"{status} on mount": [Fault(Answer(status), on=Endpoint.MOUNT)]
        for status in (401, 403, 404, 405, 500)
    },
}


@pytest.mark.parametrize("faults", MOUNTS.values(), ids=MOUNTS)
def test_a_blob_that_cannot_be_mounted_is_sent(faults: list[Fault]) -> None:
    with FakeRegistry(faults=faults) as registry:
        run(registry, push, repository="other/model")
        run(registry, partial(push, sources=["missing/model", "other/model"]))
        assert_pushed(registry, CHUNKED, WHOLE)


def test_a_blob_that_can_be_mounted_is_not_sent() -> None:
    with FakeRegistry() as registry:
        run(registry, push, repository="other/model")
        before = sent_of(registry)
        run(registry, partial(push, sources=["missing/model", "other/model"]))
        assert_pushed(registry, CHUNKED, WHOLE)
        assert sent_of(registry) - before < MODEST


AUTHENTICATIONS = {
    "basic": lambda: fake.Basic("me", "secret"),
    "bearer": lambda: fake.Bearer("me", "secret"),
    "tokens for five requests": lambda: fake.Bearer("me", "secret", requests=5),
    "tokens for a second": lambda: fake.Bearer("me", "secret", expires_in=1),
}


@pytest.mark.parametrize("make", AUTHENTICATIONS.values(), ids=AUTHENTICATIONS)
def test_credentials_are_shown_where_they_are_wanted(
    make: Callable[[], fake.Basic | fake.Bearer], tmp_path: Path
) -> None:
    faults = [Fault(fake.Location("elsewhere")), Fault(fake.Redirect(), on=Endpoint.BLOB_GET)]
    with FakeRegistry(auth=make(), faults=faults) as registry:
        log_in(registry.host, tmp_path)
        run(registry, push, repository="other/model")
        run(registry, partial(push, sources=["other/model"]))
        assert_pushed(registry, CHUNKED, WHOLE)
        assert not any(r.authorization for r in registry.requests if r.elsewhere)


def test_an_identity_token_is_exchanged(tmp_path: Path) -> None:
    with FakeRegistry(auth=fake.Bearer("me", "secret", identity_token="identity")) as registry:
        log_in(registry.host, tmp_path, "<token>", "identity")
        run(registry, push)
        assert_pushed(registry, CHUNKED, WHOLE)


def test_a_token_that_ends_within_an_upload_is_renewed(tmp_path: Path) -> None:
    faults = [Fault(fake.RevokeTokens(), on=PATCH, times=nth(2))]
    with FakeRegistry(auth=fake.Bearer("me", "secret"), faults=faults) as registry:
        log_in(registry.host, tmp_path)
        run(registry, push)
        assert_pushed(registry, CHUNKED, WHOLE)
        assert sent_of(registry) <= SIZE + MEBIBYTE + MODEST


def test_a_token_service_that_fails_once_is_asked_again(tmp_path: Path) -> None:
    faults = [Fault(Answer(503), on=Endpoint.TOKEN, times=first(1))]
    with FakeRegistry(auth=fake.Bearer("me", "secret"), faults=faults) as registry:
        log_in(registry.host, tmp_path)
        run(registry, push)
        assert_pushed(registry, CHUNKED, WHOLE)


REFUSALS = {
    "wrong password": (
        fake.Bearer("me", "other"),
        [],
        "refused the credentials",
    ),
    "wrong password, basic": (fake.Basic("me", "other"), [], "401 Unauthorized"),
    "no push": (
        fake.Bearer("me", "secret", access={"team/model": {"pull"}}),
        [],
        "401 Unauthorized|403 Forbidden",
    ),
    "garbage for a token": (
        fake.Bearer("me", "secret"),
        [Fault(Answer(200, body=b"garbage"), on=Endpoint.TOKEN)],
        "has characters that no token has",
    ),
    "a nested token": (
        fake.Bearer("me", "secret"),
        [Fault(Answer(200, body=b'{"a":' * 10_000), on=Endpoint.TOKEN)],
        "has characters that no token has",
    ),
    "a huge token": (
        fake.Bearer("me", "secret"),
        [Fault(Answer(200, body=b"{" + b" " * 10_000_000), on=Endpoint.TOKEN)],
        "longer than the 65536 bytes allowed",
    ),
    "a realm in the clear": (
        fake.Bearer("me", "secret", realm="http://registry.example.com/token"),
        [],
        "not safe to ask",
    ),
}


@pytest.mark.parametrize(("auth", "faults", "message"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_is_explained_without_the_secret(
    auth: fake.Basic | fake.Bearer, faults: list[Fault], message: str, tmp_path: Path
) -> None:
    with FakeRegistry(auth=auth, faults=faults) as registry:
        log_in(registry.host, tmp_path)
        with pytest.raises(RegistryError, match=message) as caught:
            run(registry, push)
    said = f"{caught.value!r} {caught.value} {caught.value.hint} {caught.value.__cause__!r}"
    assert "secret" not in said
    assert b64encode(b"me:secret").decode() not in said


def test_a_server_that_repeats_the_secret_is_not_quoted(tmp_path: Path) -> None:
    echo = Answer(403, message="me:secret says " + b64encode(b"me:secret").decode())
    with FakeRegistry(auth=fake.Basic("me", "secret"), faults=[Fault(echo, on=START)]) as registry:
        log_in(registry.host, tmp_path)
        with pytest.raises(RegistryError, match=r"DENIED: me:\*\*\* says \*\*\*") as caught:
            run(registry, push)
    assert caught.value.hint == f"log in with `cogn login {registry.host}` as somebody who may"


def test_a_process_that_stood_still_goes_on_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after Ctrl+Z: more time has passed than a registry may take, and nobody used it."""
    monkeypatch.setattr("cogn.store.registry.registries.UploadTraits", UploadTraits)
    blob = blob_of_bytes(bytes(16 * MEBIBYTE), "large")
    slow = Fault(fake.SlowRequest(step=MEBIBYTE // 4, interval=0.01), on=PUT, times=first(1))

    with FakeRegistry(faults=[slow]) as registry:

        async def push_and_stop(repository: Repository) -> None:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(push, repository, [blob])
                while registry.received < 4 * MEBIBYTE:  # noqa: ASYNC110
                    await anyio.sleep(0.01)
                time.sleep(1)  # noqa: ASYNC251

        run(registry, push_and_stop)
        assert_pushed(registry, blob)


def test_the_beginning_of_a_manifest_is_not_taken_for_all_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cogn.store.registry.answer.PATIENCE", 0.3)
    slow = Fault(
        fake.SlowResponse(step=1000, interval=0.1), on=Endpoint.MANIFEST_GET, times=first(1)
    )
    data = b" " * 10_000 + b"{}"
    with FakeRegistry(faults=[slow]) as registry:
        registry.add_manifest("team/model", data, "1")

        async def read(repository: Repository) -> None:
            found = await repository.manifest("1", [fake.OCI_MANIFEST])
            assert found is not None
            assert found.data == data

        run(registry, read)


FINAL = {
    "500 without end": ([Fault(Answer(500), on=PUT)], "500 Internal Server Error"),
    "400": ([Fault(Answer(400, code="NAME_INVALID"), on=START)], "400 Bad Request: NAME_INVALID"),
    "another digest": (
        [Fault(fake.SetHeader("Docker-Content-Digest", "sha256:0"), on=PUT)],
        "it stored 'sha256:0' instead of",
    ),
    "nothing is taken": (
        [Fault(Answer(405), on=PATCH), Fault(fake.MaxBody(MEBIBYTE), on=PUT)],
        "413",
    ),
    "a wait that is too long": (
        [Fault(Answer(429, retry_after=3600), on=START)],
        "429 Too Many Requests",
    ),
    "redirects in a circle": ([Fault(Answer(307, headers={"Location": "?"}), on=START)], "again"),
    "no location": ([Fault(fake.SetHeader("Location", None), on=START)], "without saying where"),
}


@pytest.mark.parametrize(("faults", "message"), FINAL.values(), ids=FINAL)
def test_what_does_not_pass_is_an_error_that_names_it(faults: list[Fault], message: str) -> None:
    with FakeRegistry(faults=faults) as registry:
        with pytest.raises(RegistryError, match=message):
            run(registry, push)
        assert registry.uploads == 0 or "without" in message


def test_a_blob_that_was_never_there_is_named() -> None:
    lie = Fault(fake.ClaimBlob(), on=Endpoint.BLOB_HEAD)
    with FakeRegistry(faults=[lie]) as registry, pytest.raises(UnknownBlobError) as caught:
        run(registry, push)
    assert CHUNKED.digest in caught.value.blobs


def test_a_warning_is_passed_on_once() -> None:
    journal = Journal()
    warning = fake.SetHeader("Warning", '299 - "soon read-only"')
    with FakeRegistry(faults=[Fault(warning)]) as registry:
        run(registry, push, reporter=journal)
        assert journal.warnings == [f"{registry.host} says: soon read-only"]
