"""Packages indexes and the relations in them."""

from __future__ import annotations

import hashlib
import lzma
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogn.store import ArchiveError, Cache
from cogn.store.debian import Package, parse_packages, parse_relations
from cogn.store.debian.packages import load_packages
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


def test_an_index_is_parsed_once(tmp_path: Path) -> None:
    file = tmp_path / "Packages.xz"
    file.write_bytes(lzma.compress(STANZA.encode()))
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    first = load_packages(file, ".xz", sha256, Cache(tmp_path / "cache"))
    file.unlink()
    assert load_packages(file, ".xz", sha256, Cache(tmp_path / "cache")) == first


def test_a_note_that_cannot_be_read_is_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "Packages.xz"
    file.write_bytes(lzma.compress(STANZA.encode()))
    cache = Cache(tmp_path / "cache")
    packages = load_packages(file, ".xz", "ab", cache)
    (note,) = (cache.root / "notes").rglob("ab")
    note.write_bytes(note.read_bytes()[:-5])
    assert load_packages(file, ".xz", "ab", cache) == packages


@pytest.mark.parametrize("kind", sorted(COMPRESSIONS))
def test_a_damaged_index_is_refused(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "Packages"
    file.write_bytes(COMPRESSIONS[kind](STANZA.encode() + b"\xff" * 100)[:-8])
    with pytest.raises(ArchiveError, match="the index of packages ab is damaged"):
        load_packages(file, kind, "ab", Cache(tmp_path / "cache"))


def test_an_index_of_one_endless_line_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "Packages.xz"
    file.write_bytes(lzma.compress(bytes(64 << 20), preset=0))
    tracemalloc.start()
    with pytest.raises(ArchiveError, match="the index of packages ab is too large"):
        load_packages(file, ".xz", "ab", Cache(tmp_path / "cache"))
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
