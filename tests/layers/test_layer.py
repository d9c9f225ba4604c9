"""The layer format: what readers of tar and gzip see of what was written."""

from __future__ import annotations

import hashlib
import os
import random
import stat
import subprocess
import zlib
from dataclasses import replace
from pathlib import Path

import deflate
import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import igzip

from cogn.layers import gzip
from cogn.layers.entry import MTIME, Bytes, DeflateStream, Entry, Kind, Slice
from cogn.layers.errors import LayerError
from cogn.layers.facts import Facts
from support.layers import write_layer

names = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"),
    min_size=1,
    max_size=60,
).filter(lambda name: name not in {".", ".."} and not name.startswith(".wh."))
paths = st.lists(names, min_size=1, max_size=4).map("/".join)


@given(st.dictionaries(paths, st.binary(max_size=2000), max_size=8), st.randoms())
def test_what_is_read_back_is_what_was_written_in_any_order(
    files: dict[str, bytes], order: random.Random
) -> None:
    parents = {
        "/".join(path.split("/")[:n]) for path in files for n in range(1, path.count("/") + 1)
    }
    files = {path: data for path, data in files.items() if path not in parents}
    entries = [Entry.file(path, Bytes(data)) for path, data in files.items()]
    written = write_layer(entries)
    shuffled = order.sample(entries, len(entries))
    assert write_layer(shuffled) == written
    assert {path: data for path, (_, data) in written.files().items()} == files
    assert written.diff_id == f"sha256:{hashlib.sha256(written.tar).hexdigest()}"


def test_every_parent_stands_before_its_content_with_the_mode_of_the_base() -> None:
    facts = Facts(directories={"tmp": Entry.directory("tmp", 0o1777)})
    written = write_layer(
        [Entry.file("tmp/b/c", Bytes(b"")), Entry.file("tmp/b.c", Bytes(b""))], facts
    )
    assert [(m.name, m.mode, m.mtime) for m in written.members()] == [
        ("tmp", 0o1777, MTIME),
        ("tmp/b", 0o755, MTIME),
        ("tmp/b/c", 0o644, MTIME),
        ("tmp/b.c", 0o644, MTIME),
    ]


def test_a_path_below_a_directory_link_of_the_base_goes_where_the_link_leads() -> None:
    facts = Facts(links={"lib": "usr/lib"})
    written = write_layer([Entry.file("lib/x/y.so", Bytes(b"elf"))], facts)
    assert [m.name for m in written.members()] == ["usr", "usr/lib", "usr/lib/x", "usr/lib/x/y.so"]


def test_long_names_links_and_ids_survive() -> None:
    long = "d" * 90 + "/" + "f" * 120
    entries = [
        Entry.file(long, Bytes(b"1"), executable=True),
        Entry.symlink("löng", "t" * 150),
        Entry(path="su", kind=Kind.FILE, mode=0o4755, uid=7, gid=42, mtime=1_700_000_000),
    ]
    found = {m.name: m for m in write_layer(entries).members()}
    assert found[long].mode == 0o755
    assert found["löng"].linkname == "t" * 150
    su = found["su"]
    assert (su.mode, su.uid, su.gid, su.mtime) == (0o4755, 7, 42, 1_700_000_000)


def test_extended_attributes_survive_whatever_their_bytes() -> None:
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    entry = Entry.file("usr/bin/ping", Bytes(b"elf"), executable=True)
    named = (("security.capability", capability), ("user.note", b"\xff\n=1 2"))
    written = write_layer([replace(entry, xattrs=named)])
    (member,) = [m for m in written.members() if m.isreg()]
    # The standard library reads the records as text, so that it shows other bytes in its own way.
    assert {
        key: value.encode("utf-8", "surrogateescape") for key, value in member.pax_headers.items()
    } == {f"SCHILY.xattr.{key}": value for key, value in named}
    assert written.files()["usr/bin/ping"] == (0o755, b"elf")
    assert hashlib.sha256(written.tar).hexdigest() == (
        "7dba65cec855eb76b9a7c4211112b6e91b27718be7b1b99de12564d1772394ad"
    )


def test_gnu_tar_gives_back_extended_attributes(tmp_path: Path) -> None:
    entry = replace(Entry.file("file", Bytes(b"1")), xattrs=(("user.note", b"\0\xffx"),))
    (tmp_path / "layer.tar").write_bytes(write_layer([entry]).tar)
    command = ["tar", "--xattrs", "--xattrs-include=*", "-xf", "layer.tar"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert os.getxattr(tmp_path / "file", "user.note") == b"\0\xffx"


def test_a_file_is_not_put_in_place_of_a_link_and_a_directory_goes_where_it_leads() -> None:
    facts = Facts(links={"lib": "usr/lib"})
    written = write_layer([Entry.directory("lib", 0o755)], facts)
    assert [m.name for m in written.members()] == ["usr", "usr/lib"]
    with pytest.raises(LayerError, match="`lib` is a link to a directory in the base"):
        write_layer([Entry.file("lib", Bytes(b""))], facts)


def test_hard_links_follow_their_file_whatever_their_names() -> None:
    entries = [
        Entry.file("z", Bytes(b"content")),
        Entry(path="a", kind=Kind.HARDLINK, mode=0o644, target="z"),
        Entry(path="m", kind=Kind.HARDLINK, mode=0o644, target="z"),
    ]
    assert [(m.name, m.type, m.linkname) for m in write_layer(entries).members()] == [
        ("a", b"0", ""),
        ("m", b"1", "a"),
        ("z", b"1", "a"),
    ]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([Entry.file("../x", Bytes(b""))], "`../x` has a part `..`"),
        ([Entry.file("/x", Bytes(b""))], "`/x` is not a relative path"),
        (
            [Entry.file("a/.wh.b", Bytes(b""))],
            "`a/.wh.b` has a name that container runtimes read as a deletion (`.wh.`)",
        ),
        (
            [Entry.file("a", Bytes(b"1")), Entry.file("a", Bytes(b"2"))],
            "`a` is there twice with different content",
        ),
        (
            [Entry.file("a", Bytes(b"")), Entry.file("a/b", Bytes(b""))],
            "`a` is a directory and something else at once",
        ),
        (
            [Entry(path="a", kind=Kind.HARDLINK, mode=0o644, target="b")],
            "`a` is a hard link to `b`, which is no file here",
        ),
    ],
)
def test_entries_that_would_not_unpack_are_refused(entries: list[Entry], message: str) -> None:
    with pytest.raises(LayerError) as caught:
        write_layer(entries)
    assert str(caught.value) == message


def test_the_same_file_twice_is_one_copy(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"xxsame")
    entries = [Entry.file("a", Bytes(b"same")), Entry.file("a", Slice(file, 2, 4))]
    assert [m.name for m in write_layer(entries).members()] == ["a"]


def deflated(path: Path, data: bytes, level: int = 6) -> DeflateStream:
    """Put a deflate stream between other bytes of a file."""
    compressor = zlib.compressobj(level, wbits=-15)
    stream = compressor.compress(data) + compressor.flush()
    path.write_bytes(b"before" + stream + b"after")
    return DeflateStream(path, 6, len(stream), size=len(data), crc=zlib.crc32(data))


NOISE = random.Random(5).randbytes(300_000)
RUNS = b"\0" * 40_000_000


@pytest.mark.parametrize("data", [b"", b"x", NOISE, RUNS, NOISE + RUNS[:5_000_000]])
@pytest.mark.parametrize("level", [0, 1, 9])
def test_a_deflate_stream_is_copied_and_reads_back(tmp_path: Path, data: bytes, level: int) -> None:
    stream = deflated(tmp_path / "z", data, level)
    written = write_layer([Entry.file("a", stream), Entry.file("b", Bytes(b"end"))])
    assert written.files()["a"][1] == data
    assert igzip.decompress(written.blob) == written.tar  # type: ignore[no-untyped-call]
    if stream.compressed_size >= 64 << 10:
        assert (tmp_path / "z").read_bytes()[6:-5] in written.blob


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"compressed_size": 3}, "has bytes after the end of its deflate stream"),
        ({"compressed_size": -3}, "ends too early"),
        ({"size": 1}, "ends too early"),
        ({"size": -1}, "inflates to more than the 299999 bytes stated"),
        ({"crc": 1}, "has CRC-32"),
        ({"offset": 2}, "the content at byte 8"),
    ],
)
def test_a_stream_that_lies_about_itself_is_refused(
    tmp_path: Path, change: dict[str, int], fault: str
) -> None:
    true = deflated(tmp_path / "z", NOISE)
    values = {
        field: getattr(true, field) + change.get(field, 0)
        for field in ("offset", "compressed_size", "size", "crc")
    }
    with pytest.raises(LayerError, match=fault):
        write_layer([Entry.file("a", DeflateStream(tmp_path / "z", **values))])


def test_gnu_gzip_and_tar_read_the_members(tmp_path: Path) -> None:
    stream = deflated(tmp_path / "z", NOISE)
    entries = [Entry.file("d/big", stream), Entry.file("d/small", Bytes(b"s"), executable=True)]
    (tmp_path / "layer.tar.gz").write_bytes(write_layer(entries).blob)
    subprocess.run(["tar", "xzf", "layer.tar.gz"], cwd=tmp_path, check=True)
    assert (tmp_path / "d/big").read_bytes() == NOISE
    assert stat.S_IMODE((tmp_path / "d/small").stat().st_mode) == 0o755


def test_another_compressor_is_noticed_before_a_layer_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gzip.check_compressor.cache_clear()
    monkeypatch.setattr(deflate, "deflate_compress", lambda data, _level: zlib.compress(data))
    with pytest.raises(LayerError, match="compresses differently"):
        write_layer([Entry.file("a", Bytes(b"x"))])
    gzip.check_compressor.cache_clear()
