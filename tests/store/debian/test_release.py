"""InRelease files: whose word counts, and how far."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pysequoia import SignatureMode, Tsk, sign

from cogn.store import ArchiveError
from cogn.store.debian import Release, archive_keys, read_release
from support.debian import FakeArchive

KEY = Tsk.generate("Test archive <archive@example.org>")
STRANGER = Tsk.generate("Somebody <somebody@example.org>")
DATE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def read(content: bytes, *keys: Tsk) -> Release:
    certificates = [key.extract_certificate() for key in keys or (KEY,)]
    return read_release(content, name="the test archive", keys=certificates, signer="Debian")


@pytest.fixture
def signed(tmp_path: Path) -> bytes:
    return FakeArchive(tmp_path, KEY).publish("trixie", [], date=DATE)


def test_a_release_says_what_its_signed_text_says(signed: bytes) -> None:
    release = read(signed)
    assert (release.origin, release.suite, release.codename) == ("Test", "trixie", "trixie")
    assert release.components == ("main",)
    assert (release.date, release.valid_until) == (DATE, None)
    assert release.snapshot == "20260102T030405Z"
    assert list(release.files) == ["main/binary-amd64/Packages.xz"]
    assert not release.acquire_by_hash


def test_one_known_signer_is_enough(signed: bytes) -> None:
    assert read(signed, STRANGER, KEY).suite == "trixie"


def test_text_around_the_signed_text_counts_for_nothing(signed: bytes) -> None:
    assert read(b"Suite: evil\n" + signed + b"Suite: evil\n").suite == "trixie"


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda signed: signed.replace(b"Origin: Test", b"Origin: Tent"), id="altered"),
        pytest.param(lambda signed: b"Origin: Test\nSuite: trixie\n", id="unsigned"),
        pytest.param(lambda signed: signed[: len(signed) // 2], id="cut off"),
        pytest.param(lambda signed: b"<html>Please log in</html>", id="a web page"),
        pytest.param(lambda signed: b"", id="empty"),
        pytest.param(
            lambda signed: sign(STRANGER.signer(), b"Suite: trixie\n", mode=SignatureMode.CLEAR),
            id="another signer",
        ),
    ],
)
def test_what_is_not_signed_by_a_known_key_is_refused(
    signed: bytes, forge: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(
        ArchiveError, match="the test archive is not signed by a key of Debian"
    ) as error:
        read(forge(signed))
    assert "\n" not in error.value.message


def test_a_signature_of_an_expired_key_is_refused(tmp_path: Path) -> None:
    # Keys are dated back by a minute, so this one lasts for two seconds.
    brief = Tsk.generate("Brief <brief@example.org>", validity_seconds=62)
    signed = FakeArchive(tmp_path, brief).publish("trixie", [])
    time.sleep(2.5)
    with pytest.raises(ArchiveError, match="signed by no key but expired ones"):
        read(signed, brief)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Suite: trixie\n", "has no field `Origin`"),
        ("Origin: a\nSuite: a\nCodename: a\nDate: soon\n", "has a malformed date: soon"),
        (
            "Origin: a\nSuite: a\nCodename: a\nDate: Fri, 02 Jan 2026 03:04:05 UTC\n"
            "Components: main\nArchitectures: amd64\nSHA256:\n 12 main/x\n",
            "has a malformed line:  12 main/x",
        ),
    ],
)
def test_a_signed_text_that_is_no_release_is_refused(text: str, fault: str) -> None:
    content = sign(KEY.signer(), text.encode(), mode=SignatureMode.CLEAR)
    with pytest.raises(ArchiveError, match=fault):
        read(content)


def test_the_shipped_keys_are_those_of_the_distributions() -> None:
    debian, ubuntu = archive_keys("debian"), archive_keys("ubuntu")
    names = {str(key.user_ids[0]) for key in debian}
    for number, code_name in ((11, "bullseye"), (12, "bookworm"), (13, "trixie")):
        assert sum(f"({number}/{code_name})" in name for name in names) == 3
    assert len(debian) == 9
    assert all(key.expiration and key.expiration.year >= 2029 for key in debian)
    assert [key.fingerprint.upper() for key in ubuntu] == [
        "F6ECB3762474EDA9D21B7022871920D1991BC93C"
    ]
