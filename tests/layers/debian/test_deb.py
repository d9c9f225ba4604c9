"""Reading packages, and unpacking several of them into one layer."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from cogn.layers.content import read_all
from cogn.layers.debian import dpkg
from cogn.layers.debian.deb import open_deb
from cogn.layers.debian.listing import list_package
from cogn.layers.debian.unpack import open_debs, unpacked, unpacked_debs
from cogn.layers.entry import Entry, Kind, Slice, check_path
from cogn.layers.errors import DebError, LayerError
from cogn.layers.facts import Facts, debian_facts
from cogn.lockfiles import Deb
from support.debian import MTIME, locked, make_ar, make_deb, make_tar, tar_member

MERGED = debian_facts("trixie", "amd64")
CONTROL = "Package: sample\nVersion: 1.0\nArchitecture: amd64\n"

DIRECTORY = {"type": tarfile.DIRTYPE, "mode": 0o755}


def unpack(*debs: tuple[Deb, Path], facts: Facts = MERGED) -> dict[str, Entry]:
    """Return the entries of a layer by path, without dpkg's notes, content in memory."""
    scratch = debs[0][1].parent
    with unpacked_debs(debs, facts, scratch) as entries:
        for entry in entries:
            if entry.kind is Kind.FILE:
                read_all(entry.content)
        found = {entry.path: entry for entry in entries}
        assert len(found) == len(entries)
    return {path: entry for path, entry in found.items() if "lib/dpkg" not in path}


def read(deb: tuple[Deb, Path], path: str) -> bytes:
    with unpacked_debs([deb], MERGED, deb[1].parent) as entries:
        (entry,) = [entry for entry in entries if entry.path == path]
        return read_all(entry.content)


def test_a_package_keeps_its_modes_owners_times_and_links(tmp_path: Path) -> None:
    deb = make_deb(
        tmp_path,
        "sample",
        [
            tar_member("./", **DIRECTORY),
            tar_member("./usr/bin/", **DIRECTORY, mtime=MTIME + 1),
            tar_member("./usr/bin/tool", b"binary", mode=0o4755, uid=7, gid=43),
            tar_member("./usr/bin/link", type=tarfile.SYMTYPE, linkname="../tool", mode=0o777),
            tar_member("./usr/bin/twin", type=tarfile.LNKTYPE, linkname="./usr/bin/tool"),
            tar_member("./usr/share/é", b""),
        ],
    )
    entries = unpack(deb)
    assert list(entries) == [
        "usr/bin",
        "usr/bin/tool",
        "usr/bin/link",
        "usr/bin/twin",
        "usr/share/é",
    ]
    tool = entries["usr/bin/tool"]
    assert (tool.mode, tool.uid, tool.gid, tool.mtime) == (0o4755, 7, 43, MTIME)
    assert entries["usr/bin"].mtime == MTIME + 1
    assert (entries["usr/bin/link"].kind, entries["usr/bin/link"].target) == (
        Kind.SYMLINK,
        "../tool",
    )
    assert (entries["usr/bin/twin"].kind, entries["usr/bin/twin"].target) == (
        Kind.HARDLINK,
        "usr/bin/tool",
    )
    assert read(deb, "usr/bin/tool") == b"binary"


def write_deb(path: Path, control: tuple[str, bytes], data: tuple[str, bytes]) -> Path:
    path.write_bytes(make_ar({"debian-binary": b"2.0\n", control[0]: control[1], data[0]: data[1]}))
    return path


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [
        ("", bytes),
        (".gz", gzip.compress),
        (".xz", lzma.compress),
        (".xz", lambda data: lzma.compress(data[:700]) + lzma.compress(data[700:])),
        (".lzma", lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE)),
        (".bz2", bz2.compress),
        (".zst", lambda data: zstandard.compress(data[:700]) + zstandard.compress(data[700:])),
    ],
)
def test_every_compression_is_read(
    tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes]
) -> None:
    control = make_tar([tar_member("./control", CONTROL.encode())])
    data = make_tar([tar_member("./etc/x", b"content")])
    file = write_deb(
        tmp_path / "x.deb",
        (f"control.tar{suffix}", compress(control)),
        (f"data.tar{suffix}", compress(data)),
    )
    with open_deb(file, "sample", tmp_path) as package:
        assert package.fields["Version"] == "1.0"
        assert read_all(package.file("etc/x").content) == b"content"


def test_nothing_is_left_in_the_scratch_directory(tmp_path: Path) -> None:
    deb = make_deb(tmp_path, "sample", [tar_member("./etc/x", b"content")])
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with unpacked_debs([deb], MERGED, scratch):
        assert list(scratch.iterdir())
    assert list(scratch.iterdir()) == []


DEVICE = {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3}


@pytest.mark.parametrize(
    ("member", "fault"),
    [
        (tar_member("./../etc/passwd"), "has a part `..`"),
        (tar_member("./usr/../../x"), "has a part `..`"),
        (tar_member("/etc/passwd"), "is not a relative path"),
        (tar_member("./usr//bin/x"), "has a part ``"),
        (tar_member("./usr/.wh.bin"), "read as a deletion"),
        (tar_member("./dev/null", **DEVICE), "neither a file, a directory nor a link"),
        (tar_member("./run/pipe", type=tarfile.FIFOTYPE), "neither a file, a directory nor a link"),
        (
            tar_member("./x", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
            "is a hard link to `/etc/passwd`, which is no earlier file",
        ),
        (
            tar_member("./x", type=tarfile.LNKTYPE, linkname="./etc"),
            "is a hard link to `etc`, which is no earlier file",
        ),
        (tar_member("./etc", b"a file"), "has `etc` twice"),
        (tar_member("./lib", b"a file"), "has a file in place of the link `lib`"),
        (tar_member("./etc/link/x"), "`etc/link` of `sample 1.0` is no directory"),
        (tar_member("./etc/link/x/y"), "`etc/link` of `sample 1.0` is no directory"),
        (tar_member("./x", type=tarfile.GNUTYPE_SPARSE), "neither a file, a directory nor a link"),
        (tar_member("./x", uid=0o10000000), "has an owner or a time out of range"),
        (tar_member("./x", mtime=-1), "has an owner or a time out of range"),
    ],
)
def test_a_hostile_member_is_refused(
    tmp_path: Path, member: tuple[tarfile.TarInfo, bytes], fault: str
) -> None:
    before = [
        tar_member("./etc/", **DIRECTORY),
        tar_member("./etc/link", type=tarfile.SYMTYPE, linkname="/"),
    ]
    deb = make_deb(tmp_path, "sample", [*before, member])
    with pytest.raises(DebError, match=r"^`sample 1\.0`") as error:
        unpack(deb)
    assert fault in error.value.message


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    names=st.lists(
        st.lists(
            st.sampled_from(["..", ".", "", "/", "usr", "lib", "bin", ".wh.x", "a", "\n", "é"]),
            min_size=1,
            max_size=4,
        ).map("/".join),
        max_size=4,
    ),
    kinds=st.lists(st.sampled_from([b"0", b"1", b"2", b"5"]), min_size=4, max_size=4),
)
def test_entries_stay_inside_the_root_whatever_the_names(
    tmp_path: Path, names: list[str], kinds: list[bytes]
) -> None:
    members = [
        tar_member(name, type=kind, linkname=names[0])
        for name, kind in zip(names, kinds, strict=False)
    ]
    deb = make_deb(tmp_path, "sample", members)
    try:
        entries = unpack(deb)
    except DebError:
        return
    for path, entry in entries.items():
        assert check_path(path) is None
        assert path.partition("/")[0] not in {"bin", "lib"} or "/" not in path
        assert entry.kind is not Kind.HARDLINK or entries[entry.target].kind is Kind.FILE


def damaged(name: str, content: bytes) -> bytes:
    """Return a package like `content` with one thing wrong."""
    start = content.index(b"data.tar.xz")
    match name:
        case "no archive":
            return b"<html>"
        case "cut off":
            return content[:-4]
        case "cut header":
            return content[: start + 30]
        case "size that is no number":
            return content[: start + 48] + b"many      " + content[start + 58 :]
        case "member twice":
            return content + content[start:]
        case "no data":
            return content[:start]
        case "other format":
            return content.replace(b"2.0\n", b"3.0\n")
        case "unknown compression":
            return content.replace(b"data.tar.xz ", b"data.tar.lz4")
        case "broken compression":
            return content[: start + 80] + bytes(40) + content[start + 120 :]
        case _:
            raise ValueError(name)


@pytest.mark.parametrize(
    ("what", "fault"),
    [
        ("no archive", "`sample 1.0` is not a Debian package"),
        ("cut off", "`sample 1.0` ends inside its member `data.tar.xz`"),
        ("cut header", "`sample 1.0` has a damaged member header"),
        ("size that is no number", "`sample 1.0` has a damaged member header"),
        ("member twice", "`sample 1.0` has two members `data.tar.xz`"),
        ("no data", "`sample 1.0` has no single member `data.tar`"),
        ("other format", "`sample 1.0` is not a Debian package of format 2"),
        ("unknown compression", "cogn does not read: `data.tar.lz4`"),
        ("broken compression", "`sample 1.0`: `data.tar.xz` is damaged"),
    ],
)
def test_a_damaged_package_is_refused(tmp_path: Path, what: str, fault: str) -> None:
    deb, file = make_deb(tmp_path, "sample", [tar_member("./etc/x", b"content" * 99)])
    file.write_bytes(damaged(what, file.read_bytes()))
    with pytest.raises(DebError) as error:
        unpack((deb, file))
    assert fault in error.value.message


def with_data(directory: Path, data: bytes) -> tuple[Deb, Path]:
    control = make_tar([tar_member("./control", CONTROL.encode())])
    file = write_deb(
        directory / "x.deb", ("control.tar", control), ("data.tar.xz", lzma.compress(data))
    )
    return locked(file, "sample"), file


def test_damage_inside_the_tree_is_not_taken_for_its_end(tmp_path: Path) -> None:
    tar = bytearray(make_tar([tar_member("./a", b"a" * 512), tar_member("./b", b"b")]))
    tar[1024] ^= 1
    with pytest.raises(DebError, match=r"its data\.tar is damaged: at byte 1024"):
        unpack(with_data(tmp_path, bytes(tar)))


def test_a_file_larger_than_its_archive_is_refused(tmp_path: Path) -> None:
    member, _ = tar_member("./a")
    member.size = 1 << 40
    with pytest.raises(DebError, match=r"larger than the archive|is damaged"):
        unpack(with_data(tmp_path, member.tobuf(tarfile.GNU_FORMAT) + bytes(1024)))


def test_extended_headers_are_refused_as_dpkg_does(tmp_path: Path) -> None:
    member, _ = tar_member("./a")
    for headers in (
        {"SCHILY.xattr.security.capability": "x"},
        {"GNU.sparse.major": "1"},
        {"path": "../a"},
    ):
        member.pax_headers = headers
        tar = member.tobuf(tarfile.PAX_FORMAT) + bytes(1024)
        with pytest.raises(DebError, match=r"extended header|has a part `\.\.`"):
            unpack(with_data(tmp_path, tar))


def test_a_name_of_megabytes_is_not_read(tmp_path: Path) -> None:
    header, _ = tar_member("./@LongLink", type=tarfile.GNUTYPE_LONGNAME)
    header.size = 2 << 20
    tar = header.tobuf(tarfile.GNU_FORMAT) + bytes(2 << 20)
    with pytest.raises(DebError, match="a header of 2097152 bytes"):
        unpack(with_data(tmp_path, tar))


def test_memory_is_bounded_whatever_a_package_says_it_needs(tmp_path: Path) -> None:
    control = make_tar([tar_member("./control", CONTROL.encode())])
    greedy = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    data = lzma.compress(make_tar([tar_member("./a")]), filters=greedy)
    file = write_deb(tmp_path / "x.deb", ("control.tar", control), ("data.tar.xz", data))
    with pytest.raises(DebError, match=r"`data\.tar\.xz` is damaged: Memory usage limit"):
        unpack((locked(file, "sample"), file))


@pytest.mark.parametrize("name", ["list", "a/b"])
def test_a_control_file_that_would_spoil_dpkgs_records_is_refused(
    tmp_path: Path, name: str
) -> None:
    deb = make_deb(tmp_path, "sample", scripts={name: "/etc/passwd"})
    with pytest.raises(DebError, match=f"has a control file `{name}`, which no package may have"):
        unpack(deb)


def test_a_package_cannot_allow_itself_a_bomb(tmp_path: Path) -> None:
    control = CONTROL + "Installed-Size: 999999999\n"
    members = make_tar([tar_member("./control", control.encode())])
    data = lzma.compress(bytes(80 << 20), preset=0)
    file = write_deb(tmp_path / "x.deb", ("control.tar", members), ("data.tar.xz", data))
    with pytest.raises(DebError, match=r"`data\.tar` unpacks to more than \d+ bytes"):
        unpack((locked(file, "sample"), file))


def test_a_decompression_bomb_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(DebError, match=r"`data\.tar` unpacks to more than \d+ bytes"):
        unpack(with_data(tmp_path, bytes(80 << 20)))


def test_a_file_that_is_another_package_is_refused(tmp_path: Path) -> None:
    deb, _ = make_deb(tmp_path, "wanted")
    _, other = make_deb(tmp_path, "other", version="2")
    with (
        pytest.raises(DebError, match=r"file of `wanted 1\.0` is the package `other 2 amd64`"),
        open_debs([(deb, other)], tmp_path),
    ):
        pass


def test_paths_follow_the_directory_links_of_the_base(tmp_path: Path) -> None:
    deb = make_deb(
        tmp_path,
        "sample",
        [
            tar_member("./lib/", **DIRECTORY),
            tar_member("./lib/x86/", **DIRECTORY),
            tar_member("./lib/x86/a.so", b"a"),
            tar_member("./lib/x86/b.so", type=tarfile.LNKTYPE, linkname="./lib/x86/a.so"),
            tar_member("./var/run/app/", **DIRECTORY),
        ],
    )
    entries = unpack(deb)
    assert list(entries) == [
        "usr/lib",
        "usr/lib/x86",
        "usr/lib/x86/a.so",
        "usr/lib/x86/b.so",
        "run/app",
    ]
    assert entries["usr/lib/x86/b.so"].target == "usr/lib/x86/a.so"


def test_packages_share_directories_and_files_that_are_the_same(tmp_path: Path) -> None:
    shared = [tar_member("./etc/", **DIRECTORY), tar_member("./etc/same", b"same")]
    debs = [make_deb(tmp_path, name, shared) for name in ("b", "a")]
    assert list(unpack(*debs)) == ["etc", "etc/same"]


@pytest.mark.parametrize(
    "other",
    [
        tar_member("./etc/x", b"two"),
        tar_member("./etc/x", b"one", mode=0o600),
        tar_member("./etc/x", type=tarfile.SYMTYPE, linkname="y"),
        tar_member("./etc/x", **DIRECTORY),
    ],
    ids=["content", "mode", "link", "directory"],
)
def test_different_files_in_one_place_name_both_packages(
    tmp_path: Path, other: tuple[tarfile.TarInfo, bytes]
) -> None:
    first = make_deb(tmp_path, "a", [tar_member("./etc/x", b"one")])
    second = make_deb(tmp_path, "b", [other])
    with pytest.raises(DebError, match=r"`b 1\.0` and `a 1\.0` have different files at `etc/x`"):
        unpack(second, first)


def lists(*debs: tuple[Deb, Path]) -> dict[str, str]:
    """Return what dpkg knows each package to have."""
    with unpacked_debs(debs, MERGED, debs[0][1].parent) as entries:
        return {
            entry.path.rpartition("/")[2]: read_all(entry.content).decode()
            for entry in entries
            if entry.path.endswith(".list")
        }


def test_a_package_takes_over_the_files_that_it_replaces(tmp_path: Path) -> None:
    one = tar_member("./lib/x", b"one")
    twin = tar_member("./usr/lib/twin", type=tarfile.LNKTYPE, linkname="./lib/x")
    two = tar_member("./usr/lib/x", b"two")
    for first, second in (("a", "b"), ("b", "a")):
        old = make_deb(tmp_path, first, [one, twin])
        deb, file = make_deb(tmp_path, second, [two])
        new = replace(deb, replaces=(first,)), file
        for order in ([old, new], [new, old]):
            entries = unpack(*order)
            assert set(entries) == {"usr/lib/x", "usr/lib/twin"}
            assert entries["usr/lib/twin"].kind is Kind.FILE
            with unpacked_debs(order, MERGED, tmp_path) as found:
                content = {e.path: read_all(e.content) for e in found if e.kind is Kind.FILE}
            assert (content["usr/lib/x"], content["usr/lib/twin"]) == (b"two", b"one")
            assert lists(*order) == {
                f"{first}.list": "/.\n/usr/lib/twin\n",
                f"{second}.list": "/.\n/usr/lib/x\n",
            }


def test_a_directory_is_no_file_to_replace(tmp_path: Path) -> None:
    old = make_deb(tmp_path, "a", [tar_member("./etc/x/", **DIRECTORY)])
    deb, file = make_deb(tmp_path, "b", [tar_member("./etc/x", b"file")])
    with pytest.raises(DebError, match="have different files at `etc/x`"):
        unpack(old, (replace(deb, replaces=("a",)), file))


def test_a_directory_that_the_base_has_stays_as_it_is(tmp_path: Path) -> None:
    deb = make_deb(
        tmp_path,
        "ssl-cert",
        [tar_member("./etc/ssl/private/", type=tarfile.DIRTYPE, mode=0o750, gid=5)],
    )
    entry = unpack(deb)["etc/ssl/private"]
    assert (entry.mode, entry.gid) == (0o700, 0)


def test_dpkg_finds_all_files_of_a_package_as_it_wants_them(tmp_path: Path) -> None:
    files = {"usr/bin/tool": b"1", "usr/share/man/man1/tool.1.gz": b"2", "etc/tool": b"3"}
    sums = {path: hashlib.md5(data).hexdigest() for path, data in files.items()}
    deb = make_deb(
        tmp_path,
        "sample",
        [tar_member(f"./{path}", data) for path, data in files.items()],
        scripts={"md5sums": "".join(f"{sum_}  {path}\n" for path, sum_ in sums.items())},
        fields={"Maintainer": "a", "Description": "b"},
    )
    root = tmp_path / "root"
    with open_debs([deb], tmp_path) as packages:
        known = {"sample": list_package(packages[0])}
        entries = [*unpacked([deb[0]], packages, MERGED), *dpkg.status(packages, known)]
        for entry in entries:
            (root / entry.path).parent.mkdir(parents=True, exist_ok=True)
            (root / entry.path).write_bytes(read_all(entry.content))
    command = ["dpkg", "--log=/dev/null", f"--root={root}"]
    said = subprocess.run([*command, "--verify"], capture_output=True, text=True, check=True)
    assert (said.stdout, said.stderr) == ("", "")
    listed = subprocess.run([*command, "-L", "sample"], capture_output=True, text=True, check=True)
    assert listed.stdout == "/.\n/usr/bin/tool\n/etc/tool\n"
    (root / "etc/tool").write_bytes(b"changed")
    said = subprocess.run([*command, "--verify"], capture_output=True, text=True, check=False)
    assert "/etc/tool" in said.stdout


def test_documentation_and_translations_stay_out_but_copyright_stays_in(tmp_path: Path) -> None:
    kept = ["usr/share/doc/sample/copyright", "usr/share/zoneinfo/UTC"]
    left = [
        "usr/share/doc/sample/README",
        "usr/share/doc/sample/examples/deep/x",
        "usr/share/man/man1/sample.1.gz",
        "usr/share/locale/de/LC_MESSAGES/sample.mo",
        "usr/share/lintian/overrides/sample",
    ]
    deb = make_deb(tmp_path, "sample", [tar_member(f"./{path}") for path in kept + left])
    assert list(unpack(deb)) == kept


def test_a_hard_link_to_a_file_that_stays_out_becomes_a_file(tmp_path: Path) -> None:
    readme = "./usr/share/doc/sample/README"
    deb = make_deb(
        tmp_path,
        "sample",
        [
            tar_member(readme, b"text"),
            tar_member("./etc/text", type=tarfile.LNKTYPE, linkname=readme),
        ],
    )
    assert unpack(deb)["etc/text"].kind is Kind.FILE
    assert read(deb, "etc/text") == b"text"


def test_dpkg_knows_the_files_and_scripts_of_each_package(tmp_path: Path) -> None:
    deb = make_deb(
        tmp_path,
        "libsample",
        [tar_member("./etc/", **DIRECTORY), tar_member("./etc/x")],
        fields={"Multi-Arch": "same"},
        scripts={"postinst": "#!/bin/sh\n"},
    )
    info = "var/lib/dpkg/info/libsample:amd64"
    assert read(deb, f"{info}.list") == b"/.\n/etc\n/etc/x\n"
    assert read(deb, f"{info}.postinst") == b"#!/bin/sh\n"


def base() -> list[Entry]:
    return [
        Entry.symlink("bin", "usr/bin"),
        Entry.symlink("lib", "usr/lib"),
        Entry.symlink("lib64", "usr/lib64"),
        Entry.symlink("sbin", "usr/sbin"),
        Entry.directory("root", 0o700),
        Entry.directory("tmp", 0o1777),
        Entry.directory("usr"),
    ]


def test_a_base_that_is_as_expected_passes() -> None:
    MERGED.verify(base())


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (Entry.symlink("bin", "elsewhere"), "does not have the link `bin` to `usr/bin`"),
        (Entry.directory("bin"), "does not have the link `bin` to `usr/bin`"),
        (Entry.directory("tmp", 0o755), "`tmp` has mode 755 and owner 0:0, not 1777 and 0:0"),
        (Entry.directory("srv", 0o700), "`srv` has mode 700 and owner 0:0, not 755 and 0:0"),
        (Entry.directory("var/run"), "`var/run`, which has to become a link"),
    ],
)
def test_a_base_that_differs_from_the_facts_is_refused(change: Entry, fault: str) -> None:
    with pytest.raises(LayerError) as error:
        MERGED.verify([*base(), change])
    assert fault in error.value.message


def test_bookworm_has_the_same_links_though_no_package_of_it_contains_them() -> None:
    facts = debian_facts("bookworm", "amd64")
    assert facts.links == facts.laid_links == MERGED.links
    assert MERGED.laid_links == {}
    with pytest.raises(LayerError, match="does not have the link `bin` to `usr/bin`"):
        facts.verify([])


def test_facts_of_arm64_have_no_directory_for_its_loader() -> None:
    assert debian_facts("trixie", "arm64").resolve("lib64/x") == "lib64/x"
    assert MERGED.resolve("lib64/x") == "usr/lib64/x"
    assert MERGED.resolve("bin") == "bin"
    assert MERGED.resolve("var/run/lock/x") == "run/lock/x"


def test_content_is_described_and_not_loaded(tmp_path: Path) -> None:
    deb = make_deb(tmp_path, "sample", [tar_member("./etc/x", bytes(1 << 20))])
    with unpacked_debs([deb], MERGED, tmp_path) as entries:
        (entry,) = [entry for entry in entries if entry.path == "etc/x"]
        assert isinstance(entry.content, Slice)
