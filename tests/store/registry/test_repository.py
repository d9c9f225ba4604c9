"""Sending to registries: a real one, and one that fails as it is told."""

from __future__ import annotations

import hashlib
from pathlib import Path

import anyio
import httpx
import pytest

from cogn.report import Reporter
from cogn.store.errors import DamagedBlobError, RegistryError
from cogn.store.registry import Reference, Repository
from support.servers import Answer, ScriptedServer

BLOB = b"a layer" * 300_000
DIGEST = f"sha256:{hashlib.sha256(BLOB).hexdigest()}"


def push(reference: str, file: Path, digest: str = DIGEST) -> bool:
    """Send the blob unless it is there; return whether it was there."""

    async def run() -> bool:
        async with Repository.open(Reference.parse(reference), Reporter()) as repository:
            if await repository.has_blob(digest):
                return True
            await repository.put_blob(digest, len(BLOB), file, name="the layer")
            return False

    return anyio.run(run)


@pytest.fixture
def blob(tmp_path: Path) -> Path:
    path = tmp_path / "blob"
    path.write_bytes(BLOB)
    return path


@pytest.mark.registry
def test_a_blob_is_sent_once(registry: str, blob: Path) -> None:
    assert push(f"{registry}/some/model:1", blob) is False
    assert push(f"{registry}/some/model:2", blob) is True
    stored = httpx.get(f"http://{registry}/v2/some/model/blobs/{DIGEST}")
    assert stored.content == BLOB


@pytest.mark.registry
def test_a_damaged_blob_is_noticed_on_the_way(registry: str, blob: Path) -> None:
    blob.write_bytes(BLOB[::-1])
    with pytest.raises(DamagedBlobError, match="is damaged: it is not sha256:"):
        push(f"{registry}/damaged:1", blob)
    assert httpx.get(f"http://{registry}/v2/damaged/blobs/{DIGEST}").status_code == 404


def test_a_registry_that_fails_for_a_moment_is_asked_again(blob: Path) -> None:
    location = {"Location": "/upload?session=1"}
    answers: list[Answer] = [
        (404, b""),
        (500, b"", {"Retry-After": "0"}),
        (202, b"", location),
        (503, b"", {"Retry-After": "0"}),
        (202, b"", location),
        (201, b""),
    ]
    with ScriptedServer(answers) as server:
        assert push(server.url.removeprefix("http://") + "m:1", blob) is False
        assert server.requests == [
            f"HEAD /v2/m/blobs/{DIGEST}",
            "POST /v2/m/blobs/uploads/",
            "POST /v2/m/blobs/uploads/",
            f"PUT /upload?session=1&digest={DIGEST.replace(':', '%3A')}",
            "POST /v2/m/blobs/uploads/",
            f"PUT /upload?session=1&digest={DIGEST.replace(':', '%3A')}",
        ]


@pytest.mark.parametrize(
    ("answer", "message", "hint"),
    [
        ((500, b""), "the server answered 500 Internal Server Error", None),
        (
            (401, b""),
            "the server answered 401 Unauthorized",
            "cogn cannot log in to registries yet",
        ),
    ],
)
def test_a_registry_that_keeps_failing_is_reported(
    blob: Path,
    answer: tuple[int, bytes],
    message: str,
    hint: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cogn.store.retry._LONGEST_WAIT", 0.01)
    with ScriptedServer([answer]) as server, pytest.raises(RegistryError) as caught:
        push(server.url.removeprefix("http://") + "team/model:1", blob)
    assert str(caught.value) == (
        f"cannot push to `{server.url.removeprefix('http://')}team/model:1`: "
        f"asking for {DIGEST}: {message}"
    )
    assert (caught.value.hint or "").startswith(hint or "")
