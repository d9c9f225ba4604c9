"""The base and the interpreter of a lock, and when an earlier lock's packages stay."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import anyio
import msgspec
import pytest
from pysequoia import Tsk

from cogn.lockfiles import Base, DebianBase, Environment, ImageBase, Platform, Python
from cogn.resolver.base import BASE_PACKAGES, lock_system
from cogn.resolver.errors import ResolveError
from cogn.resolver.image import BaseImage
from cogn.store import ArchiveError, Cache, DownloadError
from cogn.store.debian import Mirrors
from cogn.store.http import Fetcher
from cogn.store.registry import Reference, Registries, RegistryConfiguration
from support.bases import small_base
from support.debian import FakeArchive, serving
from support.registry import FakeRegistry
from support.reports import Recorder

KEY = Tsk.generate("Test archive <archive@example.org>")
DATE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Debian:
    """A small Debian on a server, with the security archive beside it."""

    def __init__(self, root: Path, url: str, requests: list[str]) -> None:
        self.requests = requests
        self.reporter = Recorder()
        self.release = FakeArchive(root / "debian", KEY)
        self.security = FakeArchive(root / "debian-security", KEY)
        self.cache = Cache(root.parent / "cache")
        self.mirrors = Mirrors(
            {
                "debian": (f"{url}/debian",),
                "debian-security": (f"{url}/debian-security",),
            },
            snapshot_service=f"{url}/snapshots",
        )

    def publish(self, *, security: tuple[str, ...] = (), **versions: str) -> None:
        stanzas = [
            self.release.add(name, version=versions.get(name, "1.0"))
            for name in BASE_PACKAGES
            if name != "libc6"
        ]
        libc = versions.get("libc6", "2.41-12")
        stanzas.append(self.release.add("libc6", version=libc))
        stanzas.append(self.release.add("libexpat1"))
        stanzas.append(
            self.release.add("python3.13", version="3.13.5-2", Depends="libc6, libexpat1")
        )
        self.release.publish("trixie", stanzas, date=DATE)
        self.security.publish("trixie-security", security, date=DATE)

    def lock(
        self,
        previous: Environment | None = None,
        *,
        python_version: str = "3.13",
        platform: Platform = "linux/amd64",
        upgrade: bool = False,
        image: str | None = None,
    ) -> Environment:
        async def run() -> tuple[Base, Python]:
            configuration = RegistryConfiguration({}, {})
            async with (
                Fetcher.open(self.cache, self.reporter) as fetcher,
                Registries.open(configuration, self.reporter) as registries,
            ):
                return await lock_system(
                    python_version=python_version,
                    platform=platform,
                    previous=previous,
                    upgrade=upgrade,
                    fetcher=fetcher,
                    mirrors=self.mirrors,
                    reporter=self.reporter,
                    image=None
                    if image is None
                    else BaseImage(Reference.parse(image), registries, self.cache, self.reporter),
                )

        base, python = anyio.run(run)
        return Environment(base=base, python=python, server=())


@pytest.fixture
def debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Debian]:
    keys = (KEY.extract_certificate(),)
    monkeypatch.setattr("cogn.store.debian.archive.archive_keys", lambda: keys)
    root = tmp_path / "served"
    root.mkdir()
    with serving(root) as (url, requests):
        small = Debian(root, url, requests)
        small.publish()
        yield small


def versions(lock: Environment) -> dict[str, str]:
    return {deb.name: deb.version for deb in lock.debs}


def test_the_base_and_what_the_interpreter_needs_beyond_it(debian: Debian) -> None:
    lock = debian.lock()
    assert [deb.name for deb in lock.base.debs] == sorted(BASE_PACKAGES)
    assert [deb.name for deb in lock.python.debs] == ["libexpat1", "python3.13"]
    assert (lock.base.release, lock.python.version) == ("trixie", "3.13.5")
    assert [(archive.name, archive.suite, archive.snapshot) for archive in lock.base.archives] == [
        ("debian", "trixie", "20260102T030405Z"),
        ("debian-security", "trixie-security", "20260102T030405Z"),
    ]


def test_security_updates_are_taken(debian: Debian) -> None:
    debian.publish(security=(debian.security.add("libc6", version="2.41-12+deb13u1"),))
    (libc,) = [deb for deb in debian.lock().debs if deb.name == "libc6"]
    assert (libc.version, libc.archive) == ("2.41-12+deb13u1", "debian-security")


@pytest.mark.parametrize("version", ["3.13", "3.13.5"])
def test_a_version_that_the_base_has_is_given(debian: Debian, version: str) -> None:
    assert debian.lock(python_version=version).python.version == "3.13.5"


@pytest.mark.parametrize(
    ("version", "offered"), [("3.11", "3.13"), ("3.1", "3.13"), ("3.13.4", "3.13.5")]
)
def test_a_version_that_the_base_lacks_is_answered_with_the_one_it_has(
    debian: Debian, version: str, offered: str
) -> None:
    with pytest.raises(
        ResolveError, match=f"Python {version} cannot be had: .* {offered}$"
    ) as error:
        debian.lock(python_version=version)
    assert error.value.hint == 'set `python_version: "3.13"`'


def test_the_same_archive_gives_the_same_lock(debian: Debian) -> None:
    first = debian.lock()
    assert debian.lock() == debian.lock(first) == debian.lock(first, upgrade=True) == first


def test_an_unchanged_archive_is_asked_for_its_release_only(debian: Debian) -> None:
    first = debian.lock()
    debian.cache = Cache(debian.cache.root.with_name("other"))
    debian.requests.clear()
    assert debian.lock(first) == first
    assert [request.rpartition("/")[2] for request in debian.requests] == ["InRelease"] * 2


def test_packages_stay_while_the_archive_offers_them(debian: Debian) -> None:
    first = debian.lock()
    debian.publish(security=(debian.security.add("libc6", version="2.41-13"),))
    assert debian.lock(first) == first
    assert versions(debian.lock(first, upgrade=True))["libc6"] == "2.41-13"
    assert debian.reporter.warnings == []


def test_packages_stay_while_a_mirror_has_their_files(debian: Debian) -> None:
    first = debian.lock()
    debian.publish(libc6="2.41-13")
    assert debian.lock(first) == first
    assert debian.reporter.warnings == []


def test_packages_that_are_gone_are_locked_anew_and_named(debian: Debian) -> None:
    first = debian.lock()
    (old,) = debian.release.root.glob("pool/libc6_*")
    old.unlink()
    debian.publish(libc6="2.41-13")
    second = debian.lock(first)
    assert versions(second) == versions(first) | {"libc6": "2.41-13"}
    ((warning, hint),) = debian.reporter.warnings
    assert warning.endswith("these are locked anew: libc6 2.41-12 -> 2.41-13")
    assert hint is not None
    assert "COGN_DEBIAN_MIRROR" in hint


def test_packages_stay_when_the_archive_is_out_of_reach(debian: Debian) -> None:
    first = debian.lock()
    (debian.release.root / "dists").rename(debian.release.root / "away")
    assert debian.lock(first) == first
    ((warning, _),) = debian.reporter.warnings
    assert "out of reach" in warning
    with pytest.raises(DownloadError, match="cannot reach the archive `debian`"):
        debian.lock()


def test_a_forged_archive_is_an_error_even_with_an_earlier_lock(debian: Debian) -> None:
    first = debian.lock()
    release = debian.release.root / "dists/trixie/InRelease"
    release.write_bytes(release.read_bytes().replace(b"Origin: Test", b"Origin: Tent"))
    with pytest.raises(ArchiveError, match="is not signed by a key of Debian"):
        debian.lock(first)


def test_an_archive_without_the_platform_is_an_error(debian: Debian) -> None:
    with pytest.raises(ArchiveError, match="has no index"):
        debian.lock(platform="linux/arm64")


def status(**versions: str) -> dict[str, bytes]:
    """The list of packages of an image that has these installed, and some that do not count."""
    stanzas = [
        f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n"
        for name, version in versions.items()
    ]
    stanzas += [
        "Package: tini\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 9\n",
        "Package: netbase\nStatus: install ok installed\nArchitecture: armhf\nVersion: 9\n",
    ]
    return {"var/lib/dpkg/status": "\n".join(stanzas).encode()}


def test_what_an_image_has_installed_is_not_put_on_top_of_it(debian: Debian) -> None:
    with FakeRegistry() as registry:
        manifest = small_base(status(libc6="2.41-10", bash="1.0")).put(registry)
        image = f"{registry.host}/team/base:1"
        lock = debian.lock(image=image)
        registry.requests.clear()
        assert debian.lock(lock, image=image) == lock
        assert registry.requests == []
        pinned = debian.lock(lock, image=f"{image}@{manifest}", upgrade=True)
    base = lock.base
    assert isinstance(base, ImageBase)
    assert (base.reference, base.manifest) == (image, manifest)
    assert [deb.name for deb in base.debs] == sorted({*BASE_PACKAGES} - {"libc6", "bash"})
    assert [deb.name for deb in base.interpreter] == ["libc6"]
    assert [deb.name for deb in lock.python.debs] == ["libexpat1", "python3.13"]
    assert msgspec.structs.replace(base, index=None) == pinned.base
    assert isinstance(debian.lock(lock).base, DebianBase)


def test_nothing_of_an_image_is_upgraded_or_removed(debian: Debian) -> None:
    with FakeRegistry() as registry:
        small_base(status(libc6="2.41-10", init="7")).put(registry)
        image = f"{registry.host}/team/base:1"
        tini = debian.security.add("tini", version="2.0", Depends="libc6 (>= 2.41-11)")
        debian.publish(security=(tini,))
        with pytest.raises(ResolveError) as old:
            debian.lock(image=image)
        assert old.value.message == (
            "`tini` 2.0 needs `libc6 (>= 2.41-11)`, but the base has `libc6` 2.41-10"
        )
        debian.publish(security=(debian.security.add("tini", version="3.0", Conflicts="init"),))
        with pytest.raises(ResolveError, match=r"`tini` 3\.0 and `init` 7 cannot be installed"):
            debian.lock(image=image)


@pytest.mark.parametrize(
    ("files", "release", "message"),
    [
        ({}, "bookworm", "it is debian, and cogn knows Debian trixie alone so far"),
        ({"usr/lib/os-release": b""}, "trixie", "it is a system without os-release, and"),
        ({"usr/local/bin/python": b""}, "trixie", "a Python of its own, `/usr/local/bin/python`,"),
        ({"var/lib/dpkg/status": b""}, "trixie", "it has no list of Debian packages"),
    ],
)
def test_an_image_of_another_system_is_refused(
    debian: Debian, files: dict[str, bytes], release: str, message: str
) -> None:
    with FakeRegistry() as registry:
        small_base(files, release=release).put(registry)
        with pytest.raises(ResolveError, match=message) as refused:
            debian.lock(image=f"{registry.host}/team/base:1")
        assert str(refused.value).startswith("cogn.toml, `base`: `127.0.0.1:")


@pytest.mark.network
@pytest.mark.parametrize("platform", ["linux/amd64", "linux/arm64"])
def test_the_real_base_is_small_and_complete(tmp_path: Path, platform: Platform) -> None:
    async def run() -> tuple[Base, Python]:
        async with Fetcher.open(Cache(tmp_path)) as fetcher:
            return await lock_system(
                python_version="3.13",
                platform=platform,
                previous=None,
                upgrade=False,
                fetcher=fetcher,
                mirrors=Mirrors.find(),
                reporter=Recorder(),
            )

    base, python = anyio.run(run)
    assert {deb.name for deb in base.debs} >= {*BASE_PACKAGES, "openssl", "libssl3t64"}
    assert "python3.13" in {deb.name for deb in python.debs}
    assert {deb.architecture for deb in base.debs} == {platform.removeprefix("linux/"), "all"}
    assert sum(deb.size for deb in base.debs + python.debs) < 35_000_000
