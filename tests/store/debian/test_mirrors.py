"""Which places the bytes of an archive are looked for in."""

from __future__ import annotations

from pathlib import Path

import pytest

from cogn.store import ArchiveError
from cogn.store.debian import Mirrors


def find(apt: Path, configured: dict[str, str] | None = None, **environment: str) -> Mirrors:
    return Mirrors.find(configured, environment=environment, apt=apt)


def test_a_machine_without_apt_has_no_mirrors(tmp_path: Path) -> None:
    mirrors = find(tmp_path / "nothing")
    assert mirrors.of("debian") == mirrors.of("debian-security") == ()


def test_the_configuration_goes_before_the_environment_and_that_before_apt(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb http://apt.example/debian bookworm main\n")
    variable = "http://variable.example/debian/"
    assert find(tmp_path, COGN_DEBIAN_MIRROR=variable).of("debian") == (
        "http://variable.example/debian",
        "http://apt.example/debian",
    )
    configured = {"debian": "https://chosen.example/any/path"}
    assert find(tmp_path, configured, COGN_DEBIAN_MIRROR=variable).of("debian") == (
        "https://chosen.example/any/path",
        "http://apt.example/debian",
    )


def test_an_archive_is_known_by_the_end_of_its_root_and_the_suite_does_not_matter(
    tmp_path: Path,
) -> None:
    sources = tmp_path / "sources.list.d"
    sources.mkdir()
    (tmp_path / "sources.list").write_text(
        "# deb http://comment.example/debian bookworm main\n"
        "deb [arch=amd64 signed-by=/a.gpg] http://one.example/debian/ bookworm main\n"
        "deb-src http://source.example/debian bookworm main\n"
        "deb http://one.example/debian bookworm-updates main\n"
        "deb http://other.example/ubuntu noble main\n"
        "deb http://ports.example/ubuntu-ports noble main universe\n"
        "deb http://somebody.example/linux/debian bookworm stable\n"
        "deb mirror+file:/etc/apt/mirrors/debian bookworm main\n"
        "deb\n"
    )
    (sources / "debian.sources").write_text(
        "Types: deb deb-src\n"
        "# a comment\n"
        "URIs: https://two.example/debian cdrom:[x]/debian\n"
        " https://two.example/debian-security\n"
        "Suites: trixie\n"
        "Components: main contrib\n"
        "\n"
        "Types: deb\n"
        "Enabled: no\n"
        "URIs: https://off.example/debian\n"
        "Components: main\n"
        "\n"
        "Types: deb\n"
        "URIs: https://somebody.example/linux/debian\n"
        "Suites: trixie\n"
        "Components: stable\n"
    )
    mirrors = find(tmp_path)
    assert mirrors.of("debian") == ("http://one.example/debian", "https://two.example/debian")
    assert mirrors.of("debian-security") == ("https://two.example/debian-security",)
    assert mirrors.of("ubuntu") == ("http://other.example/ubuntu",)
    assert mirrors.of("ubuntu-ports") == ("http://ports.example/ubuntu-ports",)


@pytest.mark.parametrize(
    "url", ["ftp://secret@mirror.example/debian", "mirror.example", "file:///d"]
)
def test_a_configured_mirror_has_to_be_http(tmp_path: Path, url: str) -> None:
    with pytest.raises(ArchiveError, match="`debian` is not an http or https URL") as error:
        find(tmp_path, COGN_DEBIAN_MIRROR=url)
    assert "secret" not in str(error.value)
    assert error.value.hint == "see the variable COGN_DEBIAN_MIRROR"


@pytest.mark.parametrize(
    ("archive", "root"),
    [
        ("debian", "https://snapshot.debian.org/archive/debian/20260101T235959Z"),
        (
            "debian-security",
            "https://snapshot.debian.org/archive/debian-security/20260101T235959Z",
        ),
        ("ubuntu", "https://snapshot.ubuntu.com/ubuntu/20260101T055959Z"),
        ("ubuntu-ports", "https://snapshot.ubuntu.com/ubuntu/20260101T055959Z"),
    ],
)
def test_a_snapshot_is_asked_for_some_time_after_the_locked_date(archive: str, root: str) -> None:
    assert Mirrors({}).snapshot(archive, "20251231T235959Z") == root
    with pytest.raises(ArchiveError, match="`20261399T000000Z` is not the date of a snapshot"):
        Mirrors({}).snapshot(archive, "20261399T000000Z")


def test_an_archive_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(ArchiveError, match="there is no archive `fedora`"):
        Mirrors({}).snapshot("fedora", "20251231T235959Z")


def test_a_pinned_moment_is_looked_for_where_that_moment_is_kept(tmp_path: Path) -> None:
    kept = "http://kept.example/debian/20260901T000000Z"
    pinned = Mirrors.find({"debian": kept}, pinned="20260901T000000Z", environment={}, apt=tmp_path)
    assert pinned.releases("debian") == (
        kept,
        "https://snapshot.debian.org/archive/debian/20260901T000000Z",
    )
    assert len(pinned.releases("debian-security")) == 1
    other = Mirrors.find({"debian": kept}, pinned="20260902T000000Z", environment={}, apt=tmp_path)
    assert other.releases("debian") == (
        "https://snapshot.debian.org/archive/debian/20260902T000000Z",
    )
