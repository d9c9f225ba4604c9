"""Downloads from servers that are wrong, slow to recover or cut off."""

from __future__ import annotations

import hashlib
from pathlib import Path

import anyio
import pytest

from cogn.report import Reporter
from cogn.store import Cache, DownloadError, HashError
from cogn.store.http import Fetcher
from support.servers import Answer, ScriptedServer

CONTENT = b"the right bytes" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def download(cache: Cache, *urls: str, sha256: str = SHA256, size: int | None = None) -> Path:
    async def run() -> Path:
        async with Fetcher.open(cache, Reporter()) as fetcher:
            return await fetcher.download(urls, sha256=sha256, size=size, name="thing.whl")

    return anyio.run(run)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def files(cache: Cache) -> list[Path]:
    return [path for path in cache.root.rglob("*") if path.is_file()]


def test_the_right_bytes_are_kept_and_not_fetched_again(cache: Cache) -> None:
    with ScriptedServer([(200, CONTENT)]) as server:
        path = download(cache, server.url)
        assert path.read_bytes() == CONTENT
        assert download(cache, server.url) == path
        assert server.requests == ["GET /"]


def test_other_bytes_are_refused_and_nothing_is_kept(cache: Cache) -> None:
    with (
        ScriptedServer([(200, b"other bytes")]) as server,
        pytest.raises(HashError, match="is not what the lock names: expected sha256"),
    ):
        download(cache, server.url)
    assert files(cache) == []


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([(404, b"")], "the server answered 404 Not Found"),
        ([(200, CONTENT + b"more")], f"more than the {len(CONTENT)} bytes expected"),
    ],
)
def test_a_place_without_the_file_is_named(
    cache: Cache, answers: list[tuple[int, bytes]], reason: str
) -> None:
    with ScriptedServer(answers) as server, pytest.raises(DownloadError) as caught:
        download(cache, server.url.replace("//", "//user:secret@"), size=len(CONTENT))
    assert str(caught.value) == f"cannot download thing.whl\n  {server.url}: {reason}"
    assert files(cache) == []


def test_a_failure_that_passes_is_waited_out(cache: Cache) -> None:
    answers: list[Answer] = [(503, b"", {"Retry-After": "0"}), (200, CONTENT)]
    with ScriptedServer(answers) as server:
        assert download(cache, server.url).read_bytes() == CONTENT


def test_a_connection_that_breaks_is_made_again(cache: Cache) -> None:
    cut = (200, CONTENT[:100], {"Content-Length": str(len(CONTENT))})
    with ScriptedServer([cut, (200, CONTENT)]) as server:
        assert download(cache, server.url).read_bytes() == CONTENT
    assert files(cache) == [cache.path(SHA256)]


def test_the_next_place_is_asked_when_one_has_not_the_file(cache: Cache) -> None:
    with ScriptedServer([(404, b"")]) as first, ScriptedServer([(200, CONTENT)]) as second:
        assert download(cache, first.url, second.url).read_bytes() == CONTENT
