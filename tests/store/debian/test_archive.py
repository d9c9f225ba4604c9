"""Opening suites and fetching packages, from a server on this machine."""

from __future__ import annotations

import shutil
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import anyio
import msgspec
import pytest
from pysequoia import Tsk

from cogn.lockfiles import Archive, Deb
from cogn.report import Reporter
from cogn.store import ArchiveError, Cache, DownloadError, HashError
from cogn.store.debian import Mirrors, OpenSuite, Suite, can_fetch, fetch_debs, open_suite
from cogn.store.http import Fetcher
from support.debian import COMPRESSIONS, FakeArchive, make_deb, serving

KEY = Tsk.generate("Test archive <archive@example.org>")
STRANGER = Tsk.generate("Somebody <somebody@example.org>")
DATE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SUITE = Suite("debian", "trixie")
LOCKED = Archive(
    name="debian",
    suite="trixie",
    components=("main",),
    snapshot="20260102T030405Z",
    release="0" * 64,
)
SNAPSHOT = "snapshots/debian/20260103T030405Z"

_T = TypeVar("_T")


class Place:
    """A server with an archive in `debian/`, and a cache."""

    def __init__(self, root: Path, url: str, requests: list[str]) -> None:
        self.root = root
        self.requests = requests
        self.archive = FakeArchive(root / "debian", KEY)
        self.cache = Cache(root.parent / "cache")
        self.mirrors = Mirrors(
            {"debian": (f"{url}/empty", f"{url}/debian"), "ubuntu": (f"{url}/debian",)},
            snapshot_service=f"{url}/snapshots",
        )

    def run(self, work: Callable[[Fetcher], Awaitable[_T]]) -> _T:
        async def main() -> _T:
            async with Fetcher.open(self.cache, Reporter()) as fetcher:
                return await work(fetcher)

        return anyio.run(main)

    def open(self, suite: Suite = SUITE, locked: str | None = None) -> OpenSuite:
        return self.run(
            lambda fetcher: open_suite(suite, fetcher=fetcher, mirrors=self.mirrors, locked=locked)
        )

    def names(self, architecture: str = "amd64") -> list[str]:
        async def packages(fetcher: Fetcher) -> list[str]:
            suite = await open_suite(SUITE, fetcher=fetcher, mirrors=self.mirrors)
            return list((await suite.packages(architecture)).names)

        return self.run(packages)

    def fetch(self, *debs: Deb) -> list[Path]:
        return self.run(
            lambda fetcher: fetch_debs(debs, [LOCKED], fetcher=fetcher, mirrors=self.mirrors)
        )

    def deb(self, name: str, directory: str = "debian/pool") -> Deb:
        target = self.root / directory
        target.mkdir(parents=True, exist_ok=True)
        return make_deb(target, name)[0]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    keys = (KEY.extract_certificate(),)
    monkeypatch.setattr("cogn.store.debian.archive.archive_keys", lambda _distribution: keys)
    root = tmp_path / "served"
    root.mkdir()
    with serving(root) as (url, requests):
        yield Place(root, url, requests)


def test_a_suite_is_opened_at_the_first_mirror_that_has_it(place: Place) -> None:
    place.archive.publish("trixie", [place.archive.add("one"), place.archive.add("two")])
    assert place.names() == ["one", "two"]
    assert place.requests == [
        "GET /empty/dists/trixie/InRelease",
        "GET /debian/dists/trixie/InRelease",
        "GET /debian/dists/trixie/main/binary-amd64/Packages.xz",
    ]


def test_an_index_that_did_not_change_is_not_fetched_again(place: Place) -> None:
    place.archive.publish("trixie", [place.archive.add("one")])
    place.names()
    place.requests.clear()
    assert place.names() == ["one"]
    assert not any("Packages" in request for request in place.requests)


def test_indexes_are_fetched_by_hash_where_the_archive_offers_that(place: Place) -> None:
    stanzas = [place.archive.add("one")]
    place.archive.publish("trixie", stanzas, fields={"Acquire-By-Hash": "yes"})
    directory = place.archive.root / "dists/trixie/main/binary-amd64"
    (index,) = place.open().release.files.values()
    (directory / "by-hash/SHA256").mkdir(parents=True)
    (directory / "Packages.xz").rename(directory / "by-hash/SHA256" / index.sha256)
    assert place.names() == ["one"]


def test_an_index_that_is_not_what_the_release_says_is_refused(place: Place) -> None:
    place.archive.publish("trixie", [place.archive.add("one")])
    index = place.archive.root / "dists/trixie/main/binary-amd64/Packages.xz"
    index.write_bytes(bytes(index.stat().st_size))
    with pytest.raises(HashError, match=r"main/binary-amd64/Packages\.xz is not what"):
        place.names()


def test_an_architecture_that_the_suite_lacks_is_an_error(place: Place) -> None:
    place.archive.publish("trixie", [])
    with pytest.raises(ArchiveError, match="has no index `main/binary-arm64/Packages`"):
        place.names("arm64")


@pytest.mark.parametrize("kind", sorted(COMPRESSIONS))
def test_an_index_may_be_compressed_in_any_way(place: Place, kind: str) -> None:
    place.archive.publish("trixie", [place.archive.add("one")], kind=kind)
    assert place.names() == ["one"]


def test_an_index_that_is_larger_than_the_release_says_is_refused(place: Place) -> None:
    place.archive.publish("trixie", [place.archive.add("one")])
    index = place.archive.root / "dists/trixie/main/binary-amd64/Packages.xz"
    index.write_bytes(bytes(1 << 20))
    with pytest.raises(DownloadError, match=r"more than the \d+ bytes expected"):
        place.names()


def test_the_signed_release_of_another_suite_does_not_pass(place: Place) -> None:
    place.archive.publish("bookworm", [])
    shutil.copytree(place.archive.root / "dists/bookworm", place.archive.root / "dists/trixie")
    with pytest.raises(ArchiveError, match="answers with the suite `bookworm`"):
        place.open()


def test_a_pocket_of_ubuntu_does_not_pass_for_another_of_the_same_release(place: Place) -> None:
    place.archive.publish("noble", [], fields={"Suite": "noble-updates"})
    with pytest.raises(ArchiveError, match="answers with the suite `noble-updates`"):
        place.open(Suite("ubuntu", "noble"))


def test_each_distribution_signs_its_own_archives_alone(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {"debian": (KEY.extract_certificate(),), "ubuntu": (STRANGER.extract_certificate(),)}
    monkeypatch.setattr("cogn.store.debian.archive.archive_keys", keys.__getitem__)
    place.archive.publish("trixie", [])
    place.archive.publish("noble", [])
    assert place.open().release.suite == "trixie"
    with pytest.raises(ArchiveError, match="`noble` is not signed by a key of Ubuntu"):
        place.open(Suite("ubuntu", "noble"))


def test_a_release_older_than_the_locked_one_is_refused(place: Place) -> None:
    place.archive.publish("trixie", [], date=DATE)
    assert place.open(locked="20260102T030405Z").release.date == DATE
    with pytest.raises(ArchiveError) as error:
        place.open(locked="20260102T030406Z")
    assert error.value.message.endswith(
        "is of 20260102T030405Z, and the lock has that of 20260102T030406Z"
    )
    assert "archives.snapshot" in str(error.value.hint)


def test_a_mirror_that_is_behind_is_passed_over_for_one_that_is_not(place: Place) -> None:
    behind = FakeArchive(place.root / "empty", KEY)
    behind.publish("trixie", [], date=DATE - timedelta(days=1))
    place.archive.publish("trixie", [], date=DATE)
    assert place.open(locked="20260102T030405Z").release.date == DATE
    assert place.open().release.date == DATE - timedelta(days=1)


def test_a_pinned_moment_comes_from_the_snapshot_service_alone(place: Place) -> None:
    place.archive.publish("trixie", [])
    place.mirrors = replace(place.mirrors, pinned="20260901T000000Z")
    kept = FakeArchive(place.root / "snapshots/debian/20260901T000000Z", KEY)
    with pytest.raises(DownloadError, match="cannot reach"):
        place.open()
    # An expired release, older than the lock's, is what was asked for; a newer one is not.
    kept.publish("trixie", [], date=DATE, valid_for=timedelta(days=7))
    assert place.open(locked="20260401T000000Z").release.date == DATE
    kept.publish("trixie", [], date=datetime(2026, 9, 1, 0, 0, 1, tzinfo=UTC))
    with pytest.raises(ArchiveError, match=r"of 20260901T000001Z for 20260901T000000Z$"):
        place.open()


def test_a_release_past_its_time_is_refused(place: Place) -> None:
    date = datetime(2026, 1, 1, tzinfo=UTC)
    place.archive.publish("trixie", [], date=date, valid_for=timedelta(days=7))
    with pytest.raises(ArchiveError, match=r"is out of date: .* valid until 2026-01-08 00:00 UTC"):
        place.open()


def test_a_mirror_that_is_a_snapshot_may_be_old(place: Place) -> None:
    date = datetime(2026, 1, 1, tzinfo=UTC)
    place.archive.publish("trixie", [], date=date, valid_for=timedelta(days=7))
    url = place.mirrors.of("debian")[0].removesuffix("/empty")
    old = place.root / "debian/20260102T000000Z"
    old.mkdir()
    (place.archive.root / "dists").rename(old / "dists")
    place.mirrors = Mirrors({"debian": (f"{url}/debian/20260102T000000Z",)}, f"{url}/snapshots")
    assert place.open().release.date == date


def test_an_archive_out_of_reach_says_where_it_was_looked_for(place: Place) -> None:
    with pytest.raises(DownloadError, match="cannot reach the archive `debian`") as error:
        place.open()
    assert error.value.message.count("404 ") == 3
    assert error.value.hint == "set COGN_DEBIAN_MIRROR to a mirror"


def test_packages_come_from_a_mirror_in_the_order_asked_for(place: Place) -> None:
    debs = [place.deb(name) for name in ("b", "a", "c")]
    assert [path.name for path in place.fetch(*debs)] == [deb.sha256 for deb in debs]


def test_what_the_mirrors_dropped_comes_from_the_snapshot_service(place: Place) -> None:
    kept, dropped = place.deb("kept"), place.deb("dropped", f"{SNAPSHOT}/pool")
    assert len(place.fetch(kept, dropped)) == 2
    assert [request for request in place.requests if "snapshots" in request] == [
        f"GET /{SNAPSHOT}/{dropped.path}"
    ]


def test_the_snapshot_is_that_of_the_suite_that_changed_last(place: Place) -> None:
    deb = place.deb("dropped", f"{SNAPSHOT}/pool")
    released = msgspec.structs.replace(LOCKED, snapshot="20240425T151033Z")
    for archives in ([LOCKED, released], [released, LOCKED]):
        place.cache.discard(deb.sha256)
        place.run(
            lambda fetcher, archives=archives: fetch_debs(  # type: ignore[misc]
                [deb], archives, fetcher=fetcher, mirrors=place.mirrors
            )
        )
        assert place.requests[-1] == f"GET /{SNAPSHOT}/{deb.path}"


def test_packages_that_no_place_has_are_named_with_the_ways_on(place: Place) -> None:
    kept = place.deb("kept")
    gone = [place.deb(name) for name in ("one", "two", "three")]
    for deb in gone:
        (place.archive.root / deb.path).unlink()
    with pytest.raises(ArchiveError) as error:
        place.fetch(kept, *gone)
    assert "packages of the lock: one 1.0, two 1.0, three 1.0; tried" in error.value.message
    assert error.value.hint is not None
    for way in ("`cogn lock --upgrade`", "COGN_DEBIAN_MIRROR", "copy the cache"):
        assert way in error.value.hint
    asked = [request for request in place.requests if "snapshots" in request]
    assert len(asked) == 1, "a service without the first package is not asked for all"


def test_a_package_with_other_bytes_is_refused(place: Place) -> None:
    deb = place.deb("forged")
    (place.archive.root / deb.path).write_bytes(bytes(deb.size))
    with pytest.raises(HashError, match=r"forged 1\.0 is not what the lock names"):
        place.fetch(deb)


def test_a_credential_of_a_mirror_is_in_no_message(place: Place) -> None:
    url = place.mirrors.of("debian")[0].replace("http://", "http://user:secret@")
    place.mirrors = Mirrors({"debian": (url,)}, place.mirrors.snapshot_service)
    deb = place.deb("gone", "elsewhere")
    for attempt in (place.open, lambda: place.fetch(deb)):
        with pytest.raises((ArchiveError, DownloadError)) as error:
            attempt()
        assert "secret" not in f"{error.value.message} {error.value.hint}"


def test_whether_a_package_can_be_fetched_is_known_without_fetching_it(place: Place) -> None:
    there, gone = place.deb("there"), place.deb("gone", "elsewhere")

    def ask(deb: Deb) -> bool:
        return place.run(
            lambda fetcher: can_fetch(deb, [LOCKED], fetcher=fetcher, mirrors=place.mirrors)
        )

    assert ask(there)
    assert not ask(gone)
    assert all(request.startswith("HEAD ") for request in place.requests)


@pytest.mark.network
def test_the_real_archive_opens_and_its_index_loads_fast_the_second_time(
    tmp_path: Path,
) -> None:
    async def load() -> tuple[int, float]:
        async with Fetcher.open(Cache(tmp_path), Reporter()) as fetcher:
            suite = await open_suite(SUITE, fetcher=fetcher, mirrors=Mirrors.find())
            start = time.monotonic()
            packages = await suite.packages("amd64")
            return len(packages.names), time.monotonic() - start

    count, _ = anyio.run(load)
    again, seconds = anyio.run(load)
    assert again == count > 60_000
    assert seconds < 1.0
