"""Suites without a network: as they were opened last, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from pysequoia import Tsk

from cogn.report import Reporter
from cogn.store import ArchiveError, Cache
from cogn.store.debian import Mirrors, Suite, open_suite
from cogn.store.errors import OfflineError
from cogn.store.http import Fetcher
from support.debian import FakeArchive, serving

KEY = Tsk.generate("Test <test@example.com>")
SUITE = Suite("debian", "trixie")
DATE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Place:
    """A mirror, what it was asked, and a cache."""

    def __init__(self, root: Path, url: str, requests: list[str]) -> None:
        self.archive = FakeArchive(root, KEY)
        self.requests = requests
        self.cache = Cache(root.parent / "cache")
        self.mirrors = Mirrors({"debian": (url,)}, snapshot_service=f"{url}/none")

    def names(self, *, offline: bool, locked: str | None = None, pinned: str | None = None) -> str:
        """Open the suite; return the names of its packages."""
        mirrors = Mirrors(self.mirrors.roots, self.mirrors.snapshot_service, pinned)

        async def run() -> str:
            async with Fetcher.open(self.cache, Reporter(), offline=offline) as fetcher:
                suite = await open_suite(SUITE, fetcher=fetcher, mirrors=mirrors, locked=locked)
                return " ".join((await suite.packages("amd64")).names)

        return anyio.run(run)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    keys = (KEY.extract_certificate(),)
    monkeypatch.setattr("cogn.store.debian.archive.archive_keys", lambda _distribution: keys)
    root = tmp_path / "served"
    root.mkdir()
    with serving(root) as (url, requests):
        place = Place(root, url, requests)
        stanzas = [place.archive.add("one"), place.archive.add("two")]
        place.archive.publish("trixie", stanzas, date=DATE, valid_for=timedelta(days=36500))
        yield place


def test_a_suite_is_as_it_was_opened_last_and_nobody_is_asked(place: Place) -> None:
    assert place.names(offline=False) == "one two"
    place.requests.clear()
    assert place.names(offline=True) == "one two"
    assert place.requests == []


def test_what_was_never_opened_is_named(place: Place) -> None:
    with pytest.raises(OfflineError) as caught:
        place.names(offline=True)
    assert str(caught.value) == (
        "this is not on the machine, and `--offline` forbids fetching it: "
        "the packages of the archive `debian`, suite `trixie`"
    )
    assert caught.value.hint == (
        "run once without `--offline`: what is fetched then stays in the cache"
    )
    assert place.requests == []


def test_an_index_that_the_cache_lost_is_named(place: Place) -> None:
    place.names(offline=False)
    for path in place.cache.root.glob("blobs/sha256/*/*"):
        path.unlink()
    with pytest.raises(OfflineError) as caught:
        place.names(offline=True)
    assert caught.value.names == ("trixie main/binary-amd64/Packages.xz",)


def test_another_moment_is_another_suite(place: Place) -> None:
    place.names(offline=False)
    with pytest.raises(OfflineError):
        place.names(offline=True, pinned="20260101T000000Z")


def test_a_release_that_is_older_than_the_locked_one_is_refused(place: Place) -> None:
    place.names(offline=False)
    with pytest.raises(ArchiveError) as caught:
        place.names(offline=True, locked="20270101T000000Z")
    assert caught.value.message == (
        "the cache has a release of the archive `debian`, suite `trixie` of 20260102T030405Z, and "
        "the lock has that of 20270101T000000Z"
    )


def test_a_note_that_was_tampered_with_is_forged(place: Place) -> None:
    place.names(offline=False)
    (note,) = place.cache.root.glob("notes/releases/*")
    place.cache.set_note("releases", note.name, b"Suite: trixie\n")
    with pytest.raises(ArchiveError):
        place.names(offline=True)
