"""Packages indexes and the relations in them."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogn.store import ArchiveError
from cogn.store.debian import Package, Packages, parse_packages, parse_relations
from cogn.store.debian.indexes import read_index
from support.debian import COMPRESSIONS

STANZA = """\
Package: sample
Version: 1:2.0-3
Architecture: amd64
Multi-Arch: same
Essential: yes
Priority: required
Source: sample-source (2.0)
Depends: libc6 (>= 2.38),
 zlib1g
Recommends: manual
Replaces: old (<< 2)
Description: a sample: with a colon
 and a folded line
Filename: pool/s/sample.deb
Size: 12
SHA256: ab
"""


def test_a_stanza_becomes_a_package() -> None:
    assert list(parse_packages(STANZA.splitlines())) == [
        Package(
            name="sample",
            version="1:2.0-3",
            architecture="amd64",
            path="pool/s/sample.deb",
            sha256="ab",
            size=12,
            essential=True,
            priority="required",
            multi_arch="same",
            depends="libc6 (>= 2.38), zlib1g",
            recommends="manual",
            replaces="old (<< 2)",
            source="sample-source",
        )
    ]


def test_stanzas_are_separated_by_empty_lines() -> None:
    assert [package.name for package in parse_packages(f"{STANZA}\n{STANZA}\n".splitlines())] == [
        "sample"
    ] * 2


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("Filename: pool/s/sample.deb\n", "", "sample.* has no field 'Filename'"),
        ("Size: 12", "Size: big", "`sample` has a size in the index that is no number"),
    ],
)
def test_a_stanza_without_what_a_lock_needs_is_refused(old: str, new: str, fault: str) -> None:
    with pytest.raises(ArchiveError, match=fault):
        list(parse_packages(STANZA.replace(old, new).splitlines()))


def test_packages_are_found_by_name_and_by_what_they_provide() -> None:
    newer = STANZA.replace("2.0-3", "3.0") + "Provides: one, two (= 2),\n  three:any\n"
    other = STANZA.replace("sample", "other").replace("yes", "no")
    third = (
        "Provides: one\nEssential: yes\nVersion: 1\nArchitecture: all\nFilename: pool/third.deb\n"
        "Package: third\nSize: 1\nSHA256: cd\n"
    )
    texts = ["\n\n\n".join(["", newer, STANZA, other, ""]), third, ""]
    packages = Packages([text.encode() for text in texts])
    assert list(packages.names) == ["sample", "other", "third"]
    assert [each.version for each in packages.named("sample")] == ["1:3.0", "1:2.0-3"]
    assert [each.sha256 for each in packages.named("other")] == ["ab"]
    assert [each.sha256 for each in packages.named("third")] == ["cd"]
    assert packages.named("absent") == []
    assert packages.providing("one") == {"sample", "third"}
    assert packages.providing("two") == packages.providing("three") == {"sample"}
    assert not packages.providing("sample")
    assert packages.essential == {"sample", "third"}


@pytest.mark.parametrize("kind", sorted(COMPRESSIONS))
def test_an_index_is_read_whichever_way_it_is_compressed(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "Packages"
    file.write_bytes(COMPRESSIONS[kind](STANZA.encode()))
    assert read_index(file, kind, "ab") == STANZA.encode()


@pytest.mark.parametrize("kind", sorted(set(COMPRESSIONS) - {""}))
def test_a_damaged_index_is_refused(tmp_path: Path, kind: str) -> None:
    whole = COMPRESSIONS[kind](STANZA.encode())
    file = tmp_path / "Packages"
    for content in (whole[:-8], bytes(100), whole[:20] + b"\xff" * 100 + whole[120:]):
        file.write_bytes(content)
        with pytest.raises(ArchiveError, match="the index of packages ab is damaged"):
            read_index(file, kind, "ab")


def test_a_package_that_is_no_text_is_refused() -> None:
    packages = Packages([STANZA.encode() + b"Section: \xff\n"])
    with pytest.raises(ArchiveError, match="the index of packages is damaged"):
        packages.named("sample")


@pytest.mark.parametrize("kind", sorted(COMPRESSIONS))
def test_an_index_that_fills_the_memory_is_refused(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cogn.store.debian.indexes._LARGEST", 8 << 20)
    file = tmp_path / "Packages"
    file.write_bytes(COMPRESSIONS[kind](bytes(64 << 20)))
    tracemalloc.start()
    with pytest.raises(ArchiveError, match="the index of packages ab is too large"):
        read_index(file, kind, "ab")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 << 20


def test_relations_keep_alternatives_versions_and_qualifiers() -> None:
    field = "a (>= 1:2~rc1) | b:any, c(<<3), d:amd64"
    groups = parse_relations(field)
    assert [[str(relation) for relation in group] for group in groups] == [
        ["a (>= 1:2~rc1)", "b:any"],
        ["c (<< 3)"],
        ["d:amd64"],
    ]
    assert parse_relations("") == ()


@pytest.mark.parametrize("field", ["a (>= )", "a (~ 1)", "a b", "| a", "a (>= 1"])
def test_a_malformed_relation_is_refused(field: str) -> None:
    with pytest.raises(ArchiveError, match="is not a relation between packages"):
        parse_relations(field)


@given(st.text())
def test_any_text_is_relations_or_an_archive_error(field: str) -> None:
    with suppress(ArchiveError):
        parse_relations(field)


@pytest.mark.parametrize(
    ("condition", "version", "holds"),
    [
        ("a", "0", True),
        ("a (= 1.0-1)", "1.0-1", True),
        ("a (= 1.0)", "1.0-1", False),
        ("a (<< 1.0)", "1.0~rc1", True),
        ("a (<= 1.0)", "1.0", True),
        ("a (>= 2)", "1:1", True),
        ("a (>> 1.0)", "1.0", False),
        ("a (>= 1.10)", "1.9", False),
    ],
)
def test_versions_are_compared_as_debian_does(condition: str, version: str, holds: bool) -> None:
    ((relation,),) = parse_relations(condition)
    assert relation.admits(version) is holds


@pytest.mark.parametrize(("version", "condition"), [("", "a (>= 1)"), ("1", "a (>= a:b)")])
def test_a_malformed_version_is_an_archive_error(version: str, condition: str) -> None:
    ((relation,),) = parse_relations(condition)
    with pytest.raises(ArchiveError, match="has a malformed version"):
        relation.admits(version)
