"""Packages on an image: what of it stays as it is, and what is left out as its own dpkg would."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogn.layers.content import read_all
from cogn.layers.debian.below import ImageBelow
from cogn.layers.debian.unpack import open_debs, unpacked
from cogn.layers.entry import Bytes, Entry, Kind
from cogn.layers.errors import LayerError
from cogn.layers.facts import image_facts
from cogn.layers.layer import arrange
from cogn.lockfiles import Deb
from cogn.store.images import Metadata, Rootfs
from support.debian import make_deb, tar_member

DIRECTORY = {"type": b"5", "mode": 0o755}
LINK = {"type": b"2", "mode": 0o777}


def rootfs(
    *files: str,
    links: Mapping[str, str] | None = None,
    directories: Mapping[str, Metadata] | None = None,
    contents: Mapping[str, str] | None = None,
) -> Rootfs:
    """Return a Debian with a merged /usr and these things besides."""
    plain = ("etc", "usr", "usr/bin", "usr/lib", "var", "var/lib", "var/lib/dpkg")
    texts = {path: text.encode() for path, text in (contents or {}).items()}
    return Rootfs(
        directories={path: Metadata() for path in plain} | dict(directories or {}),
        links={"bin": "usr/bin", "lib": "/usr/lib"} | dict(links or {}),
        files=frozenset(files) | texts.keys(),
        contents=texts,
    )


def put(base: Rootfs, *debs: tuple[Deb, Path]) -> dict[str, Entry]:
    """Return what comes into the layer of packages on an image, without dpkg's records."""
    below = ImageBelow(base)
    with open_debs(debs, debs[0][1].parent) as packages:
        entries = unpacked([deb for deb, _ in debs], packages, below.facts, below)
        return {e.path: e for e in entries if not e.path.startswith("var/lib/dpkg/")}


def test_links_of_the_image_are_followed_whatever_they_look_like(tmp_path: Path) -> None:
    base = rootfs(
        "usr/lib/file",
        links={
            "usr/bin/X11": ".",
            "opt": "var/./opt",
            "var/opt": "../srv//data/",
            "again": "/opt",
            "out": "../../../usr/lib",
            "here": "/",
            "nowhere": "usr/none",
            "loop": "loop",
            "ping": "pong/x",
            "pong": "ping",
            "usr/to-file": "lib/file",
        },
        directories={"srv": Metadata(), "srv/data": Metadata(0o2750, 5, 6)},
    )
    assert image_facts(base).links == {
        "bin": "usr/bin",
        "lib": "usr/lib",
        "usr/bin/X11": "usr/bin",
        "opt": "srv/data",
        "var/opt": "srv/data",
        "again": "srv/data",
        "out": "usr/lib",
        "here": "",
    }
    deb = make_deb(
        tmp_path,
        "sample",
        [
            tar_member("./here/again/", **DIRECTORY),
            tar_member("./here/again/x", b"x"),
            tar_member("./bin/X11/X11/tool", b"x"),
        ],
    )
    entries = put(base, deb)
    assert list(entries) == ["srv/data", "srv/data/x", "usr/bin/tool"]
    # dpkg does not change a directory that is there.
    kept = entries["srv/data"]
    assert (kept.mode, kept.uid, kept.gid) == (0o2750, 5, 6)
    parents = arrange([Entry.file("opt/y", Bytes(b""))], image_facts(base))
    assert [(e.path, e.mode) for e in parents[:2]] == [("srv", 0o755), ("srv/data", 0o2750)]


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (rootfs("usr/bin/tool"), "has a `usr/bin/tool` that the one of the package `sample` would"),
        (rootfs("etc/tool"), "its `etc/tool` is no directory"),
        (rootfs(links={"etc/tool": "nowhere"}), "its `etc/tool` is no directory"),
        (
            rootfs(directories={"etc/tool/tool.conf": Metadata()}),
            "has a `etc/tool/tool.conf` that the one of",
        ),
        (
            rootfs(contents={"var/lib/dpkg/diversions": "/bin/tool\n/bin/tool.real\nother\n"}),
            "its package `other` diverts `/bin/tool`, which `sample` has",
        ),
        (
            rootfs(contents={"var/lib/dpkg/diversions": "/usr/bin/tool\n/usr/bin/tool.real\n:\n"}),
            "its administrator diverts `/usr/bin/tool`, which `sample` has",
        ),
        (
            rootfs(contents={"var/lib/dpkg/diversions": "/usr/bin/tool\n"}),
            "its `var/lib/dpkg/diversions` is damaged",
        ),
    ],
)
def test_an_image_that_packages_would_damage_is_refused(
    tmp_path: Path, base: Rootfs, message: str
) -> None:
    deb = make_deb(
        tmp_path, "sample", [tar_member("./bin/tool", b""), tar_member("./etc/tool/tool.conf", b"")]
    )
    with pytest.raises(LayerError, match=f"the base image does not fit: .*{message}"):
        put(base, deb)


def test_what_other_layers_write_into_has_to_be_plain() -> None:
    below = ImageBelow(
        rootfs(links={"src": "etc"}, directories={"opt": Metadata(), "opt/cogn": Metadata(0o700)})
    )
    below.require_plain("srv/anything")
    with pytest.raises(LayerError, match="`opt/cogn` has mode 700 and owner 0:0, not 755 and 0:0"):
        below.require_plain("opt/cogn/site")
    with pytest.raises(LayerError, match="its `src` is no directory"):
        below.require_plain("src")


def test_a_configuration_file_that_is_there_stays_and_old_records_are_written_over(
    tmp_path: Path,
) -> None:
    deb = make_deb(
        tmp_path,
        "sample",
        [tar_member("./etc/sample.conf", b"packaged"), tar_member("./etc/new.conf", b"packaged")],
        scripts={"conffiles": "/etc/sample.conf\n/etc/new.conf\n"},
    )
    base = rootfs(
        "etc/sample.conf",
        "var/lib/dpkg/info/sample.list",
        contents={"var/lib/dpkg/diversions": "/etc/other\n/etc/other.real\nsample\n"},
    )
    assert list(put(base, deb)) == ["etc/new.conf"]


TREE = [
    ("", DIRECTORY),
    ("usr/", DIRECTORY),
    ("usr/bin/", DIRECTORY),
    ("usr/bin/tool", {}),
    ("usr/share/", DIRECTORY),
    ("usr/share/doc/", DIRECTORY),
    ("usr/share/doc/tool/", DIRECTORY),
    ("usr/share/doc/tool/README", {}),
    ("usr/share/doc/tool/changelog.gz", {}),
    ("usr/share/doc/tool/copyright", {}),
    ("usr/share/doc/tool/examples/", DIRECTORY),
    ("usr/share/doc/tool/examples/a.py", {}),
    ("usr/share/doc/tool/link", LINK | {"linkname": "README"}),
    ("usr/share/locale/", DIRECTORY),
    ("usr/share/locale/de/", DIRECTORY),
    ("usr/share/locale/de/tool.mo", {}),
    ("usr/share/locale/en/", DIRECTORY),
    ("usr/share/locale/en/tool.mo", {}),
    ("usr/share/man/", DIRECTORY),
    ("usr/share/man/man1/", DIRECTORY),
    ("usr/share/man/man1/tool.1.gz", {}),
    ("usr/share/man/man[1]", {}),
]


@pytest.mark.parametrize(
    "configuration",
    [
        "",
        "# as in images of Debian\npath-exclude /usr/share/man/*\npath-exclude=/usr/share/doc/*\n"
        "path-include = /usr/share/doc/*/copyright\npath-include /usr/share/doc/*/changelog.*\n",
        'path-exclude="/usr/share/locale/*"\npath-include = /usr/share/locale/en/*\n',
        "path-include=/usr/share/locale/*\npath-exclude=/usr/share/locale/[!e]*\n",
        "path-exclude=/usr/share/locale/[[:lower:]]e/*\npath-exclude=/usr/share/man/man\\[1]\n",
        "path-exclude=*\npath-include=/*r/bin/?ool\n",
        "path-exclude=/usr/share/doc/tool/[R-\nforce-unsafe-io\npath-exclude=/usr/bin/t\\ool\n",
    ],
)
def test_the_filters_of_an_image_leave_out_what_its_dpkg_would(
    tmp_path: Path, configuration: str
) -> None:
    members = [tar_member(f"./{path}", **attributes) for path, attributes in TREE]
    fields = {"Maintainer": "a", "Description": "b"}
    deb, file = make_deb(tmp_path, "tool", members, architecture="all", fields=fields)
    root = tmp_path / "root"
    for directory in ("info", "updates", "triggers"):
        (root / "var/lib/dpkg" / directory).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    (tmp_path / ".dpkg.cfg").write_text(configuration)
    subprocess.run(
        ["dpkg", "--log=/dev/null", f"--root={root}", "--install", file],
        env=os.environ | {"HOME": str(tmp_path)},
        check=True,
        capture_output=True,
    )
    unpacked_by_dpkg = {str(path.relative_to(root)) for path in (root / "usr").rglob("*")}
    contents = {
        str(path).removeprefix("/"): path.read_text()
        for path in [Path("/etc/dpkg/dpkg.cfg"), *Path("/etc/dpkg/dpkg.cfg.d").iterdir()]
    }
    contents["etc/dpkg/dpkg.cfg"] += f"\n{configuration}"  # after this machine's own
    base = rootfs(contents=contents)
    placed = arrange(put(base, (deb, file)).values(), image_facts(base))
    assert {entry.path for entry in placed} - {"usr"} == unpacked_by_dpkg
    below = ImageBelow(base)
    with open_debs([(deb, file)], tmp_path) as packages:
        records = {
            entry.path: read_all(entry.content)
            for entry in unpacked([deb], packages, below.facts, below)
            if entry.path.startswith("var/lib/dpkg/info/")
        }
    for path, record in records.items():  # dpkg writes links last
        assert sorted(record.splitlines()) == sorted((root / path).read_bytes().splitlines())


@given(
    links=st.dictionaries(
        st.sampled_from(["a", "a/b", "c", "c/d", "e"]),
        st.sampled_from(["/a", "c", "../e", "b", "d", ".", "/", "nowhere", "a/b/../../c"]),
    ),
    names=st.lists(
        st.lists(st.sampled_from(["a", "b", "c", "d", "e", "x"]), min_size=1, max_size=4).map(
            "/".join
        ),
        unique=True,
        max_size=6,
    ),
)
def test_nothing_is_ever_put_below_or_in_place_of_a_link(
    links: dict[str, str], names: list[str]
) -> None:
    paths = ("a", "a/b", "c", "c/d", "e", "e/b")
    directories = {path: Metadata() for path in paths if path not in links}
    base = rootfs(links=links, directories=directories)
    below = ImageBelow(base)
    try:
        placed = arrange([Entry.file(name, Bytes(b"")) for name in names], below.facts)
        for entry in placed:
            below.takes(entry, "package", ())
    except LayerError:
        return
    for entry in placed:
        assert entry.path not in base.links
        assert (entry.kind is Kind.DIRECTORY) or entry.path not in base.directories
    assert arrange(placed, below.facts) == placed
