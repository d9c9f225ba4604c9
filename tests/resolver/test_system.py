"""The base and the interpreter of a lock, and when an earlier lock's packages stay."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from pysequoia import Tsk

from cogn.lockfiles import (
    Asked,
    DebianBase,
    Environment,
    ImageBase,
    Lock,
    Platform,
    StandalonePython,
    dumps,
    loads,
)
from cogn.report import Where
from cogn.resolver.base import BASE_PACKAGES, ESSENCE
from cogn.resolver.composition import System, SystemRequest
from cogn.resolver.errors import ResolveError
from cogn.resolver.image import BaseImage
from cogn.resolver.pythons import PythonBuilds, WantedPython
from cogn.resolver.releases import OWN_BASES
from cogn.resolver.system import lock_system
from cogn.resolver.wanted import parse_wanted
from cogn.store import ArchiveError, Cache, DownloadError
from cogn.store.debian import Mirrors
from cogn.store.http import Fetcher
from cogn.store.registry import Reference, Registries, RegistryConfiguration
from support.bases import GZIP, small_base
from support.debian import FakeArchive, make_tar, serving, tar_member
from support.locks import HEX, make_arm_environment, make_environment
from support.registry import FakeRegistry
from support.reports import Recorder

KEY = Tsk.generate("Test archive <archive@example.org>")
DATE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Archives:
    """Small archives of Debian and Ubuntu on a server."""

    def __init__(self, root: Path, url: str, requests: list[str]) -> None:
        self.requests = requests
        self.reporter = Recorder()
        self.release = FakeArchive(root / "debian", KEY)
        self.security = FakeArchive(root / "debian-security", KEY)
        self.ubuntu = FakeArchive(root / "ubuntu", KEY)
        self.cache = Cache(root.parent / "cache")
        names = ("debian", "debian-security", "ubuntu")
        self.mirrors = Mirrors(
            {name: (f"{url}/{name}",) for name in names}, snapshot_service=f"{url}/snapshots"
        )

    def publish(
        self,
        *more: str,
        security: tuple[str, ...] = (),
        suite: str = "trixie",
        python: str = "3.13",
        date: datetime = DATE,
        **versions: str,
    ) -> None:
        stanzas = base_stanzas(self.release, python, **versions)
        self.release.publish(suite, [*stanzas, *more], date=date)
        self.release.publish(f"{suite}-updates", [], date=date)
        self.security.publish(f"{suite}-security", security, date=date)

    def publish_ubuntu(self, *more: str) -> None:
        stanzas = base_stanzas(self.ubuntu, "3.12")
        stanzas.append(self.ubuntu.add("python3", version="3.12.3-0ubuntu2"))
        components = ("main", "universe")
        for suite in ("noble-updates", "noble-security"):
            fields = {"Codename": "noble"}
            self.ubuntu.publish(suite, [], date=DATE, components=components, fields=fields)
        self.ubuntu.publish("noble", [*stanzas, *more], date=DATE, components=components)

    def lock(
        self,
        previous: Environment | None = None,
        *packages: str,
        platform: Platform = "linux/amd64",
        upgrade: bool = False,
        image: str | None = None,
        **request: Any,
    ) -> Environment:
        wanted, problems = parse_wanted(packages, [Where("cog.yaml")] * len(packages))
        assert problems == []
        asked = SystemRequest(**{"python_version": "3.13", "packages": wanted} | request)

        async def run() -> System:
            configuration = RegistryConfiguration({}, {})
            async with (
                Fetcher.open(self.cache, self.reporter) as fetcher,
                Registries.open(configuration, self.reporter) as registries,
            ):
                return await lock_system(
                    asked,
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

        system = anyio.run(run)
        return Environment(
            base=system.base,
            python=system.python,
            asked=system.asked,
            system=system.packages,
            server=(),
        )


def base_stanzas(archive: FakeArchive, python: str, **versions: str) -> list[str]:
    """Return the stanzas of the packages that every base needs, and of a Python."""
    versions = {"libc6": "2.41-12", **versions}
    stanzas = [archive.add(name, version=versions.get(name, "1.0")) for name in BASE_PACKAGES]
    stanzas.append(archive.add("libexpat1"))
    full = f"{python}.5-2"
    stanzas.append(archive.add(f"python{python}", version=full, Depends="libc6, libexpat1"))
    return stanzas


@pytest.fixture
def debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archives]:
    keys = (KEY.extract_certificate(),)
    monkeypatch.setattr("cogn.store.debian.archive.archive_keys", lambda _distribution: keys)
    root = tmp_path / "served"
    root.mkdir()
    with serving(root) as (url, requests):
        small = Archives(root, url, requests)
        small.publish()
        yield small


def versions(lock: Environment) -> dict[str, str]:
    return {deb.name: deb.version for deb in lock.debs}


def test_the_base_and_what_the_interpreter_needs_beyond_it(debian: Archives) -> None:
    lock = debian.lock()
    assert [deb.name for deb in lock.base.debs] == sorted(BASE_PACKAGES)
    assert [deb.name for deb in lock.python.debs] == ["libexpat1", "python3.13"]
    assert (lock.base.release, lock.python.version) == ("trixie", "3.13.5")
    assert [(archive.name, archive.suite, archive.snapshot) for archive in lock.base.archives] == [
        ("debian", "trixie", "20260102T030405Z"),
        ("debian", "trixie-updates", "20260102T030405Z"),
        ("debian-security", "trixie-security", "20260102T030405Z"),
    ]


def test_security_updates_are_taken(debian: Archives) -> None:
    debian.publish(security=(debian.security.add("libc6", version="2.41-12+deb13u1"),))
    (libc,) = [deb for deb in debian.lock().debs if deb.name == "libc6"]
    assert (libc.version, libc.archive) == ("2.41-12+deb13u1", "debian-security")


@pytest.mark.parametrize("version", ["3.13", "3.13.5"])
def test_a_version_that_the_base_has_is_given(debian: Archives, version: str) -> None:
    assert debian.lock(python_version=version).python.version == "3.13.5"


def listed(path: Path, *builds: tuple[str, str], machine: str = "x86_64") -> Path:
    """Write a list as uv's of builds by version and release; their hashes follow from both."""
    entries: dict[str, dict[str, str | None]] = {}
    for version, release in builds:
        file = f"cpython-{version}%2B{release}-{machine}-unknown-linux-gnu"
        url = f"https://example.org/{release}/{file}-install_only_stripped.tar.gz"
        sha256 = hashlib.sha256(f"{version} {release}".encode()).hexdigest()
        entries[file] = {"name": "cpython", "url": url, "sha256": sha256, "build": release}
        entries[f"{file}-debug"] = {"name": "cpython", "url": f"{url}.zst", "sha256": None}
    path.write_text(json.dumps(entries))
    return path


@pytest.mark.parametrize(
    ("version", "taken", "reason"),
    [
        ("3.11", "3.11.9", "Debian trixie has 3.13; 3.11 is wanted"),
        ("3.11.8", "3.11.8", "Debian trixie has 3.13.5; 3.11.8 is wanted"),
        ("3.13.4", "3.13.4", "Debian trixie has 3.13.5; 3.13.4 is wanted"),
    ],
)
def test_a_version_that_the_base_lacks_is_a_build_that_runs_anywhere(
    debian: Archives,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    taken: str,
    reason: str,
) -> None:
    builds = [("3.11.8", "20240224"), ("3.11.9", "20240415"), ("3.11.9", "20240726")]
    path = listed(tmp_path / "list.json", *builds, ("3.13.4", "20250603"))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", path.as_uri())
    lock = debian.lock(python_version=version)
    python = lock.python
    assert isinstance(python, StandalonePython)
    assert (python.version, python.reason, python.debs) == (taken, reason, ())
    assert python.release == {"3.11.9": "20240726", "3.11.8": "20240224"}.get(taken, "20250603")
    assert not [deb for deb in lock.debs if "python" in deb.name]
    again = loads(dumps(Lock(inputs=f"sha256:{HEX}", environments={"linux/amd64": lock})))
    assert again.environments["linux/amd64"].python == python
    # What is locked stays while it fits.
    listed(path, (taken, "20260101"), ("3.11.10", "20260101"))
    assert debian.lock(lock, python_version=version) == lock
    assert debian.lock(lock, "bash", python_version=version).python == python
    upgraded = debian.lock(lock, upgrade=True, python_version=version).python
    assert isinstance(upgraded, StandalonePython)
    assert (upgraded.version, upgraded.release) == (
        "3.11.10" if version == "3.11" else taken,
        "20260101",
    )


@pytest.mark.parametrize("platform", ["linux/amd64", "linux/arm64"])
@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.14", "3.12.11"])
def test_every_python_that_cogn_knows_is_there_for_both_platforms(
    debian: Archives, platform: Platform, version: str
) -> None:
    builds = anyio.run(known_builds, debian.cache, platform)
    wanted = WantedPython(version=version, source=None, release="Debian trixie", offered="3.13.5")
    python = builds.find(wanted)
    assert python.version.startswith(version)
    lock = Lock(inputs=f"sha256:{HEX}", environments={platform: make_of(platform, python)})
    assert loads(dumps(lock)) == lock


async def known_builds(cache: Cache, platform: Platform) -> PythonBuilds:
    async with Fetcher.open(cache) as fetcher:
        return await PythonBuilds.known(platform, None, fetcher, upgrade=False)


def make_of(platform: Platform, python: StandalonePython) -> Environment:
    if platform == "linux/arm64":
        return msgspec.structs.replace(make_arm_environment(), python=python)
    return make_environment(python=python)


def test_a_version_that_nothing_has_is_answered_with_the_nearest(
    debian: Archives, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = listed(tmp_path / "list.json", ("3.12.1", "20240107"), ("3.14.0", "20251007"))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", str(path))
    with pytest.raises(ResolveError) as error:
        debian.lock(python_version="3.13.9")
    assert error.value.message == (
        "Python 3.13.9 cannot be had: neither the base's distribution, Debian trixie, has it nor "
        "a build of python-build-standalone; the nearest that can be had: 3.13.5, 3.14.0"
    )
    assert error.value.where == Where("cog.yaml", key="build.python_version")
    assert error.value.hint == (
        'set `python_version: "3.13.5"`, or name a list with newer builds, as uv takes it, in '
        "UV_PYTHON_DOWNLOADS_JSON_URL"
    )


def test_where_python_comes_from_can_be_asked_for(
    debian: Archives, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = listed(tmp_path / "list.json", ("3.13.7", "20250818"))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", str(path))
    own = debian.lock()
    python = debian.lock(own, python_source="standalone").python
    assert isinstance(python, StandalonePython)
    assert (python.version, python.reason) == ("3.13.7", "cogn.toml asks for it")
    assert debian.lock(own, python_source="distribution") == own
    with pytest.raises(ResolveError) as error:
        debian.lock(own, python_source="distribution", python_version="3.12")
    assert error.value.message == (
        "Python 3.12 cannot be had: Debian trixie has 3.13, and cogn.toml asks for the "
        "distribution's own"
    )
    assert error.value.hint == 'set `python_version: "3.13"`, or remove `python` from cogn.toml'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "the list of Python builds `{}` cannot be read: No such file or directory"),
        ("[]", "the list of Python builds at {} cannot be read: Expected `object`, got `array`"),
        ("{", "the list of Python builds at {} cannot be read: Input data was truncated"),
    ],
)
def test_a_list_of_builds_that_cannot_be_read_is_named(
    debian: Archives,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: str | None,
    message: str,
) -> None:
    path = tmp_path / "list.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", str(path))
    with pytest.raises(DownloadError) as error:
        debian.lock()
    assert error.value.message == message.format(path)
    assert "UV_PYTHON_DOWNLOADS_JSON_URL" in str(error.value.hint)


def test_the_same_archive_gives_the_same_lock(debian: Archives) -> None:
    first = debian.lock()
    assert debian.lock() == debian.lock(first) == debian.lock(first, upgrade=True) == first


def test_what_another_project_asked_for_is_answered_without_the_indexes(debian: Archives) -> None:
    debian.publish(debian.release.add("sox", Depends="libexpat1"))
    first = debian.lock(None, "sox")
    shutil.rmtree(debian.cache.root / "blobs")
    debian.requests.clear()
    assert debian.lock(None, "sox") == first
    assert all(request.endswith("/InRelease") for request in debian.requests)


@pytest.mark.parametrize(
    "change",
    [
        {"packages": ()},
        {"recommends": True},
        {"shell": False},
        {"python_version": "3.12"},
        {"python_source": "standalone"},
        {"suite": "bookworm", "python_version": "3.11"},
    ],
    ids=str,
)
def test_what_was_composed_is_no_answer_to_anything_else(
    debian: Archives, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    path = listed(tmp_path / "list.json", ("3.12.1", "20240107"), ("3.13.7", "20250818"))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", str(path))
    more = [debian.release.add("sox", Recommends="manual"), debian.release.add("manual")]
    debian.publish(*more, suite="bookworm", python="3.11")
    debian.publish(*more)
    first = debian.lock(None, "sox")
    second = debian.lock(None, "sox", **change)
    assert second != first
    debian.cache = Cache(debian.cache.root.with_name("other"))
    assert debian.lock(None, "sox", **change) == second


def test_what_was_composed_is_no_answer_for_another_platform(debian: Archives) -> None:
    debian.lock()
    with pytest.raises(ArchiveError, match="has no index `main/binary-arm64/Packages`"):
        debian.lock(platform="linux/arm64")


def test_what_was_composed_is_no_answer_when_an_archive_changed(debian: Archives) -> None:
    debian.lock()
    debian.publish(security=(debian.security.add("libc6", version="2.42-1"),), libc6="2.41-13")
    assert versions(debian.lock())["libc6"] == "2.42-1"
    debian.publish(libc6="2.41-14", date=DATE + timedelta(days=1))
    assert versions(debian.lock())["libc6"] == "2.41-14"


def test_what_was_composed_is_no_answer_when_the_list_of_pythons_changed(
    debian: Archives, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = listed(tmp_path / "list.json", ("3.12.1", "20240107"))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", str(path))
    assert debian.lock(python_version="3.12").python.version == "3.12.1"
    listed(path, ("3.12.1", "20240107"), ("3.12.2", "20240224"))
    assert debian.lock(python_version="3.12").python.version == "3.12.2"


def test_a_damaged_note_of_what_was_composed_counts_for_nothing(debian: Archives) -> None:
    first = debian.lock()
    for note in (debian.cache.root / "notes" / "systems").iterdir():
        note.write_bytes(note.read_bytes()[:-2])
    assert debian.lock() == first


def test_an_unchanged_archive_is_asked_for_its_release_only(debian: Archives) -> None:
    first = debian.lock()
    debian.cache = Cache(debian.cache.root.with_name("other"))
    debian.requests.clear()
    assert debian.lock(first) == first
    assert [request.rpartition("/")[2] for request in debian.requests] == ["InRelease"] * 3


def test_packages_stay_while_the_archive_offers_them(debian: Archives) -> None:
    first = debian.lock()
    debian.publish(security=(debian.security.add("libc6", version="2.41-13"),))
    assert debian.lock(first) == first
    assert versions(debian.lock(first, upgrade=True))["libc6"] == "2.41-13"
    assert debian.reporter.warnings == []


def test_packages_stay_while_a_mirror_has_their_files(debian: Archives) -> None:
    first = debian.lock()
    debian.publish(libc6="2.41-13")
    assert debian.lock(first) == first
    assert debian.reporter.warnings == []


def test_packages_that_are_gone_are_locked_anew_and_named(debian: Archives) -> None:
    first = debian.lock()
    (old,) = debian.release.root.glob("pool/libc6_*")
    old.unlink()
    debian.publish(libc6="2.41-13")
    second = debian.lock(first)
    assert versions(second) == versions(first) | {"libc6": "2.41-13"}
    ((warning, hint),) = debian.reporter.warnings
    assert warning.endswith("need it: libc6 2.41-12 -> 2.41-13")
    assert hint is not None
    assert "COGN_DEBIAN_MIRROR" in hint


def test_packages_stay_when_the_archive_is_out_of_reach(debian: Archives) -> None:
    first = debian.lock()
    (debian.release.root / "dists").rename(debian.release.root / "away")
    assert debian.lock(first) == first
    ((warning, _),) = debian.reporter.warnings
    assert "out of reach" in warning
    with pytest.raises(DownloadError, match="cannot reach the archive `debian`"):
        debian.lock()


def test_a_forged_archive_is_an_error_even_with_an_earlier_lock(debian: Archives) -> None:
    first = debian.lock()
    release = debian.release.root / "dists/trixie/InRelease"
    release.write_bytes(release.read_bytes().replace(b"Origin: Test", b"Origin: Tent"))
    with pytest.raises(ArchiveError, match="is not signed by a key of Debian"):
        debian.lock(first)


def test_an_archive_without_the_platform_is_an_error(debian: Archives) -> None:
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


SHELL = {"usr/bin/sh": b""}


def test_what_an_image_has_installed_is_not_put_on_top_of_it(debian: Archives) -> None:
    with FakeRegistry() as registry:
        manifest = small_base(SHELL, status(libc6="2.41-10", bash="1.0")).put(registry)
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


def test_an_image_without_a_shell_stays_without_one(debian: Archives) -> None:
    debian.publish(debian.release.add("tool"), debian.release.add("dpkg", Essential="yes"))
    with FakeRegistry() as registry:
        small_base(status(libc6="2.41-10")).put(registry)
        lock = debian.lock(None, "tool", image=f"{registry.host}/team/base:1")
    assert [deb.name for deb in lock.base.debs] == sorted({*ESSENCE} - {"libc6"})
    assert [deb.name for deb in lock.system] == ["tool"]


def test_nothing_of_an_image_is_upgraded_or_removed(debian: Archives) -> None:
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
    ("files", "message"),
    [
        ({"usr/lib/os-release": b"ID=fedora\nVERSION_CODENAME=x\n"}, "it is fedora, and cogn"),
        ({"usr/lib/os-release": b""}, "it is a system without os-release, and"),
        ({"usr/lib/os-release": b"ID=debian\nVERSION_CODENAME=../x\n"}, "it is debian, and"),
        ({"usr/local/bin/python": b""}, "a Python of its own, `/usr/local/bin/python`,"),
        ({"usr/bin/python3.13": b""}, "with its Python: `/usr/bin/python3.13` is of no package"),
        ({"opt": b""}, "`/opt`, where files of the model go, is no directory in it"),
        ({"var/lib/dpkg/status": b""}, "it has no list of Debian packages"),
    ],
)
def test_an_image_that_the_model_does_not_fit_onto_is_refused(
    debian: Archives, files: dict[str, bytes], message: str
) -> None:
    with FakeRegistry() as registry:
        small_base(files).put(registry)
        with pytest.raises(ResolveError, match=message) as refused:
            debian.lock(image=f"{registry.host}/team/base:1")
        assert str(refused.value).startswith("cogn.toml, `base`: `127.0.0.1:")


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("Version: not a version", "has a malformed version"),
        ("Version: 1\nProvides: ((", "`((` in `((` is not a relation between packages"),
        ("Version: 1\nConflicts: a | | b", "is not a relation between packages"),
        ("Source: x", "a package of the index (libc6) has no field 'Version'"),
    ],
)
def test_a_list_of_packages_that_is_no_list_is_an_error_of_ours(
    debian: Archives, field: str, message: str
) -> None:
    text = f"Package: libc6\nStatus: install ok installed\nArchitecture: amd64\n{field}\n"
    tini = debian.security.add("tini", version="2.0", Depends="libc6 (>= 1)")
    debian.publish(security=(tini,))
    with FakeRegistry() as registry:
        small_base({"var/lib/dpkg/status": text.encode()}).put(registry)
        with pytest.raises(ArchiveError) as refused:
            debian.lock(image=f"{registry.host}/team/base:1")
    assert message in refused.value.message


@pytest.mark.parametrize("path", ["./src/", "./opt/cogn/", "./usr/local/lib/python3.13/"])
@pytest.mark.parametrize("attributes", [{"mode": 0o2775}, {"uid": 1000}])
def test_directories_of_the_model_have_to_be_plain(
    debian: Archives, path: str, attributes: dict[str, int]
) -> None:
    member = tar_member(path, **{"type": tarfile.DIRTYPE, "mode": 0o755} | attributes)
    archive = make_tar([member])
    image = small_base({})
    image.layers.append((GZIP, gzip.compress(archive), archive))  # type: ignore[attr-defined]
    with FakeRegistry() as registry:
        image.put(registry)
        with pytest.raises(ResolveError, match=r"where files of the model go, is of mode "):
            debian.lock(image=f"{registry.host}/team/base:1")


def test_system_packages_come_on_top_with_what_they_and_their_scripts_need(
    debian: Archives,
) -> None:
    add = debian.release.add
    debian.publish(
        add("tool", Depends="libc6, libtool, libexpat1", Recommends="manual", Source="tools"),
        add("libtool", Replaces="tool-common, libexpat1 (<< 2), libc6 (<< 2)"),
        add("manual"),
        add("dpkg", Essential="yes"),
    )
    lock = debian.lock(None, "tool")
    assert [deb.name for deb in lock.system] == ["dpkg", "libtool", "tool"]
    assert lock.asked == Asked(packages=("tool",), recommends=False)
    assert {deb.name: (deb.source, deb.replaces) for deb in lock.system} == {
        "dpkg": ("", ()),
        "libtool": ("", ("libexpat1",)),
        "tool": ("tools", ()),
    }
    more = debian.lock(lock, "tool", recommends=True)
    assert [deb.name for deb in more.system] == ["dpkg", "libtool", "manual", "tool"]
    assert (lock.base, lock.python) == (debian.lock().base, debian.lock().python)
    assert debian.lock().asked is None


def test_system_packages_stay_while_something_else_is_asked_for(debian: Archives) -> None:
    add, secure = debian.release.add, debian.security.add
    old = (add("tool", Depends="libtool"), add("libtool"), add("libtool-dev"), add("other"))
    debian.publish(*old)
    first = debian.lock(None, "tool")
    newer = (secure("libtool", version="2.0"), secure("libtool-dev", version="2.0"))
    debian.publish(*old, security=newer)
    assert debian.lock(first, "tool") == first
    assert versions(debian.lock(first, "tool", "other")) == versions(first) | {"other": "1.0"}
    # What is of the same source as a locked package has to be of the same version.
    source = add("libtool-dev", Source="libtool", Depends="libtool (= 1.0)")
    debian.publish(*old[:2], source, security=newer)
    assert versions(debian.lock(first, "tool", "libtool-dev"))["libtool-dev"] == "1.0"
    assert versions(debian.lock(first, "tool", upgrade=True))["libtool"] == "2.0"
    assert debian.reporter.warnings == []


def test_what_is_new_may_move_what_is_locked_and_says_so(debian: Archives) -> None:
    add, secure = debian.release.add, debian.security.add
    old = (add("tool", Depends="libtool"), add("libtool"))
    debian.publish(*old)
    first = debian.lock(None, "tool")
    newer = (secure("libtool", version="2.0"), add("other", Depends="libtool (>= 2)"))
    debian.publish(*old, security=newer)
    second = debian.lock(first, "tool", "other")
    assert versions(second) == versions(first) | {"libtool": "2.0", "other": "1.0"}
    ((warning, _),) = debian.reporter.warnings
    assert warning.endswith("libtool 1.0 -> 2.0")


def test_a_version_may_be_asked_for(debian: Archives) -> None:
    add, secure = debian.release.add, debian.security.add
    debian.publish(add("tool"), security=(secure("tool", version="1:2.0"),))
    assert versions(debian.lock(None, "tool=1.0"))["tool"] == "1.0"
    assert versions(debian.lock(None, "tool=1:2.0"))["tool"] == "1:2.0"
    assert versions(debian.lock(None, "tool:amd64"))["tool"] == "1:2.0"
    with pytest.raises(ResolveError, match=r"`tool=3` cannot be had: the archive has 1:2\.0") as no:
        debian.lock(None, "tool=3")
    assert str(no.value).startswith("cog.yaml, `build.system_packages`: ")
    with pytest.raises(ResolveError, match=r"`bash=5` cannot be had: the base has 1\.0"):
        debian.lock(None, "bash=5")
    with pytest.raises(ResolveError, match="`tool:i386`: an image of amd64 has packages of no"):
        debian.lock(None, "tool:i386")


def test_a_base_without_a_shell_has_what_programs_need(debian: Archives) -> None:
    add = debian.release.add
    debian.publish(
        add("ca-certificates", version="2.0", Depends="openssl, debconf | debconf-2.0"),
        add("tool", Depends="libtool"),
        add("libtool"),
        add("dpkg", Essential="yes"),
    )
    lock = debian.lock(None, "tool", shell=False)
    base = lock.base
    assert isinstance(base, DebianBase)
    assert [deb.name for deb in base.debs] == sorted(ESSENCE)
    assert [deb.name for deb in lock.system] == ["libtool", "tool"]
    assert not base.shell
    assert (
        "; no scripts run in it, so ca-certificates does without debconf, ca-certificates does"
        in base.reason
    )
    assert debian.lock(lock, "tool", shell=False) == lock
    with pytest.raises(ResolveError, match=r"`ca-certificates` 2\.0 needs `openssl`"):
        debian.lock(lock, "tool")


def test_an_older_release_can_be_the_base(debian: Archives) -> None:
    debian.publish(suite="bookworm", python="3.11")
    lock = debian.lock(suite="bookworm", python_version="3.11")
    assert (lock.base.release, lock.python.version) == ("bookworm", "3.11.5")
    assert [archive.suite for archive in lock.base.archives] == [
        "bookworm",
        "bookworm-updates",
        "bookworm-security",
    ]
    assert debian.lock(lock).base.release == "trixie"


def test_an_image_of_ubuntu_gets_packages_of_its_own_release(debian: Archives) -> None:
    debian.publish_ubuntu(debian.ubuntu.add("tool"))
    system = {"usr/lib/os-release": b"ID=ubuntu\nVERSION_CODENAME=noble\n"}
    installed = {"libc6": "2.39", "python3.12": "3.12.3-1", "python3.12-minimal": "3.12.3-1"}
    own = {"usr/bin/python3.12": b"", **SHELL, **status(**installed)}
    with FakeRegistry() as registry:
        small_base(system | own).put(registry)
        image = f"{registry.host}/team/base:1"
        lock = debian.lock(None, "tool", image=image, python_version="3.12")
        other = debian.lock(image=image).python
    base = lock.base
    assert isinstance(base, ImageBase)
    assert base.release == "noble"
    assert {(archive.name, archive.components) for archive in base.archives} == {
        ("ubuntu", ("main", "universe"))
    }
    assert (lock.python.version, lock.python.debs) == ("3.12.3", ())
    assert [deb.name for deb in base.interpreter] == ["libc6", "python3.12"]
    assert [deb.name for deb in lock.system] == ["tool"]
    assert isinstance(other, StandalonePython)
    assert other.reason == "Ubuntu noble has 3.12; 3.13 is wanted"


def test_an_archive_that_went_back_in_time_is_refused(debian: Archives) -> None:
    first = debian.lock()
    debian.publish(date=DATE - timedelta(days=1))
    with pytest.raises(ArchiveError, match="and the lock has that of 20260102T030405Z"):
        debian.lock(first, upgrade=True)


def test_a_pinned_moment_decides_over_what_is_locked(debian: Archives, tmp_path: Path) -> None:
    newer = (debian.security.add("libc6", version="2.41-13"),)
    first = debian.lock()
    debian.publish(security=newer, date=DATE + timedelta(days=1))
    second = debian.lock(first, upgrade=True)
    assert versions(second)["libc6"] == "2.41-13"
    debian.publish()
    for name in ("debian", "debian-security"):
        kept = tmp_path / f"served/snapshots/{name}/20260102T120000Z"
        kept.mkdir(parents=True)
        (tmp_path / f"served/{name}/dists").rename(kept / "dists")
    debian.mirrors = replace(debian.mirrors, pinned="20260102T120000Z")
    pinned = debian.lock(second)
    assert versions(pinned) == versions(first)
    assert {archive.snapshot for archive in pinned.base.archives} == {"20260102T030405Z"}
    assert debian.lock(pinned) == pinned


def real_system(cache: Path, request: SystemRequest, platform: Platform) -> System:
    async def run() -> System:
        async with Fetcher.open(Cache(cache)) as fetcher:
            return await lock_system(
                request,
                platform=platform,
                previous=None,
                upgrade=False,
                fetcher=fetcher,
                mirrors=Mirrors.find(),
                reporter=Recorder(),
            )

    return anyio.run(run)


@pytest.mark.network
@pytest.mark.parametrize("platform", ["linux/amd64", "linux/arm64"])
def test_the_real_base_is_small_and_complete(tmp_path: Path, platform: Platform) -> None:
    system = real_system(tmp_path, SystemRequest(python_version="3.13"), platform)
    names = {deb.name for deb in system.base.debs}
    assert names >= {*BASE_PACKAGES, "openssl", "libssl3t64"}
    assert "python3.13" in {deb.name for deb in system.python.debs}
    architectures = {deb.architecture for deb in system.debs}
    assert architectures == {platform.removeprefix("linux/"), "all"}
    assert sum(deb.size for deb in system.debs) < 35_000_000


@pytest.mark.network
@pytest.mark.parametrize(("suite", "minor"), OWN_BASES.items())
def test_the_real_base_without_a_shell_has_nothing_that_runs_scripts(
    tmp_path: Path, suite: str, minor: str
) -> None:
    request = SystemRequest(python_version=minor, suite=suite, shell=False)
    system = real_system(tmp_path, request, "linux/amd64")
    names = {deb.name for deb in system.debs}
    assert names >= {*ESSENCE, f"python{minor}"}
    scripts = {"bash", "dash", "mawk", "perl-base", "coreutils", "debconf", "dpkg", "openssl"}
    assert not names & scripts
    assert sum(deb.size for deb in system.debs) < 25_000_000
