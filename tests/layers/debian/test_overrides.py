"""Modes and owners as chmod, chown and dpkg-statoverride set them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogn.layers.content import read_all
from cogn.layers.debian.accounts import Accounts
from cogn.layers.debian.overrides import STATOVERRIDE, Override, chmod, chown, statoverride
from cogn.layers.entry import Bytes, Entry, Kind
from cogn.layers.errors import DebError

ACCOUNTS = Accounts(
    {
        "etc/passwd": b"root:x:0:0::/root:/bin/sh\nann:x:7:8::/:/bin/sh\nb.c:x:9:9::/:/bin/sh\n",
        "etc/group": b"root:x:0:\nssh:x:101:\n",
    }
)
PROGRAM = Entry.file("usr/bin/agent", Bytes(b""), executable=True)


def add(words: str) -> Override:
    return Override.parse(words.split())


def test_an_override_is_on_dpkgs_list_and_on_the_file(tmp_path: Path) -> None:
    before = b"root root 4755 /usr/bin/kept\n"
    (tmp_path / "admin").mkdir()
    (tmp_path / "admin/statoverride").write_bytes(before)
    (tmp_path / "usr/bin").mkdir(parents=True)
    for name in ("agent", "other", "kept"):
        (tmp_path / "usr/bin" / name).touch()
    overrides = []
    for arguments in (
        "--update --add root daemon 2755 /usr/bin/agent",
        "--quiet --add root root 0710 /usr/bin/other",
    ):
        places = ["--root", str(tmp_path), "--admindir", str(tmp_path / "admin")]
        subprocess.run(["dpkg-statoverride", *places, *arguments.split()], check=True)
        overrides.append(add(arguments))
    entry = statoverride([*overrides, add("--add ann ssh 0 /usr/bin/kept")], before)
    written = (tmp_path / "admin/statoverride").read_bytes()
    assert entry.path == STATOVERRIDE
    assert read_all(entry.content).splitlines() == sorted(written.splitlines(), key=by_path)
    assert [override.updates for override in overrides] == [True, False]
    assert oct((tmp_path / "usr/bin/agent").stat().st_mode) == "0o102755"
    changed = add("--update --add ann ssh 2755 /usr/bin/agent").apply(PROGRAM, ACCOUNTS)
    assert (changed.uid, changed.gid, changed.mode) == (7, 101, 0o2755)


def by_path(line: bytes) -> tuple[bool, bytes]:
    path = line.split()[-1]
    return path != b"/usr/bin/kept", path


def test_a_list_is_read_as_far_as_it_can_be() -> None:
    listed = b"root ssh 2755 /a b\nodd\n\xff x 1 y\n#1 #2 644 /c\n"
    assert Override.read(listed) == [
        Override("root", "ssh", 0o2755, "/a b"),
        Override("#1", "#2", 0o644, "/c"),
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        *("--list /x", "--add root root 0755", "--add root root u+s /x", "--add root root 755 x"),
        *("--add root root 755 /x/../y", "--add --unheard-of root root 755 /x", ""),
    ],
)
def test_what_is_no_override_is_an_error(arguments: str) -> None:
    with pytest.raises(DebError, match="cogn cannot read what `dpkg-statoverride"):
        add(arguments)


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        *(("ann", (7, 0)), ("ann:ssh", (7, 101)), ("ann:", (7, 8)), (":ssh", (0, 101))),
        *(("5:6", (5, 6)), ("b.c", (9, 0)), ("ann.ssh", (7, 101)), ("ann:6", (7, 6))),
    ],
)
def test_an_owner_may_be_given_in_several_ways(owner: str, expected: tuple[int, int]) -> None:
    changed = chown(PROGRAM, owner, ACCOUNTS)
    assert (changed.uid, changed.gid) == expected


def test_a_new_owner_ends_special_rights() -> None:
    attributes = (("security.capability", b"1"), ("user.kept", b"2"))
    special = Entry(path="x", kind=PROGRAM.kind, mode=0o6755, xattrs=attributes, content=Bytes(b""))
    changed = chown(special, "ann", ACCOUNTS)
    assert (changed.mode, changed.xattrs) == (0o755, attributes[1:])
    assert chown(Entry.directory("d", 0o2775), "ann", ACCOUNTS).mode == 0o2775


@pytest.mark.parametrize("owner", ["nobody-there", "ann:nobody-there", "77:", "9999999"])
def test_an_owner_that_is_none_is_an_error(owner: str) -> None:
    with pytest.raises(DebError, match=r"that a package's script can use|it is too great"):
        chown(PROGRAM, owner, ACCOUNTS)


@contextmanager
def scratch(*, is_directory: bool) -> Iterator[Path]:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "x"
        path.mkdir() if is_directory else path.touch()
        yield path


octal = st.from_regex("[0-7]{1,5}", fullmatch=True)
clause = st.from_regex("[ugoa]{0,2}([-+=]([rwxXst]{0,3}|[ugo])){1,2}", fullmatch=True)
symbolic = st.lists(clause, min_size=1, max_size=2).map(",".join)


@given(
    st.one_of(octal, symbolic),
    st.sampled_from([0o644, 0o755, 0o4711, 0o2750, 0o1777, 0o000]),
    st.booleans(),
)
def test_a_mode_changes_as_chmod_changes_it(mode: str, before: int, is_directory: bool) -> None:
    with scratch(is_directory=is_directory) as path:
        path.chmod(before)
        command = 'umask 022; exec chmod -- "$0" "$1"'
        done = subprocess.run(["sh", "-c", command, mode, path], capture_output=True, check=False)
        kind = Kind.DIRECTORY if is_directory else Kind.FILE
        entry = Entry(path="x", kind=kind, mode=before)
        # Without a class, chmod complains of what the umask took away, and does it all the same.
        if done.returncode and b"new permissions are" not in done.stderr:
            with pytest.raises(DebError, match="is no mode that chmod"):
                chmod(entry, mode)
        else:
            assert oct(chmod(entry, mode).mode) == oct(path.stat().st_mode & 0o7777)


@pytest.mark.parametrize("mode", ["", "888", "u", "+z", "u+s,", "7777777"])
def test_what_is_no_mode_is_an_error(mode: str) -> None:
    with pytest.raises(DebError, match="is no mode that chmod"):
        chmod(PROGRAM, mode)
