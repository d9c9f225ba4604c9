"""Downloads from servers that are wrong, slow to recover or cut off."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

import anyio
import pytest

from cogn.report import Reporter
from cogn.store import Cache, DownloadError, HashError
from cogn.store.errors import OfflineError
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


def test_without_a_network_nobody_is_asked_and_what_is_missing_is_named(cache: Cache) -> None:
    with ScriptedServer([(200, CONTENT)]) as server:

        async def run() -> list[OfflineError]:
            found = []
            async with Fetcher.open(cache, offline=True) as fetcher:
                for call in (
                    partial(fetcher.download, [server.url], sha256=SHA256, name="thing.whl"),
                    partial(fetcher.get, server.url, limit=1 << 20),
                    partial(fetcher.content_length, server.url),
                ):
                    with pytest.raises(OfflineError) as caught:
                        await call()
                    found.append(caught.value)
            return found

        assert [each.names for each in anyio.run(run)] == [
            ("thing.whl",),
            (server.url,),
            (server.url,),
        ]
        assert server.requests == []


def test_what_is_required_and_not_here_is_named_in_one_go(cache: Cache) -> None:
    names = {f"{number:064x}": f"thing-{number}.whl" for number in range(23)}
    names[cache.add(CONTENT)] = "here.whl"

    async def run(*, offline: bool) -> None:
        async with Fetcher.open(cache, offline=offline) as fetcher:
            fetcher.require(names)

    anyio.run(partial(run, offline=False))
    with pytest.raises(OfflineError) as caught:
        anyio.run(partial(run, offline=True))
    assert str(caught.value).splitlines() == [
        "these 23 are not on the machine, and `--offline` forbids fetching them:",
        *(f"  thing-{number}.whl" for number in range(20)),
        "  and 3 more",
    ]
