"""Archives with an interpreter as layers: what is changed of them, and which are refused."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from cogn.layers import standalone
from cogn.layers.build_paths import relocated
from cogn.layers.content import read_all
from cogn.layers.entry import Entry
from cogn.layers.errors import PythonArchiveError
from cogn.layers.plan import PYTHON
from cogn.layers.standalone import unpacked_python
from cogn.lockfiles import StandalonePython
from support.standalone import archive

FILE = "cpython-3.12.4+20260101-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz"
LOCKED = StandalonePython(
    version="3.12.4", reason="", release="20260101", file=FILE, sha256="0" * 64
)
NEEDED: dict[str, bytes | str | Path] = {
    "bin/python3.12": b"\x7fELF\xff /install /tools",
    "lib/python3.12/os.py": b"x = '/install'\n",
}
SYSCONFIG = """\
# system configuration generated and used by the sysconfig module
build_time_vars = {'AR': '/tools/clang-linux64/bin/llvm-ar',
 'BLDSHARED': '/usr/bin/aarch64-linux-gnu-gcc -shared  '
              '-Wl,--exclude-libs,ALL -L/tools/deps/lib',
 'CC': 'clang -pthread',
 'CFLAGS': '-O3 -fdebug-default-version=4 -fPIC -I/tools/deps/include/ncursesw',
 'CONFIG_ARGS': "'--prefix=/install' '--with-openssl=/tools/deps' 'CC=clang' 'CXX=clang++'",
 'INSTALL': '/usr/bin/install -c',
 'LDSHARED': 'x86_64-linux-gnu-g++ -shared -Wl,-rpath,/tools/deps/lib',
 'LIBPL': '/install/lib/python3.12/config-3.12-x86_64-linux-gnu',
 'NM': 'llvm-nm',
 'OPENSSL_INCLUDES': '-I/install/include',
 'abs_srcdir': '/build/Python-3.12.4',
 'install_dir': './install/x /installed $(srcdir)/install-sh clang-format'}
"""
RELOCATED = """\
# system configuration generated and used by the sysconfig module
build_time_vars = {'AR': 'ar',
 'BLDSHARED': 'cc -shared  '
              '-Wl,--exclude-libs,ALL',
 'CC': 'cc -pthread',
 'CFLAGS': '-O3 -fPIC',
 'CONFIG_ARGS': "'--prefix=/opt/it' '--with-openssl=/usr/src/deps' 'CC=cc' 'CXX=c++'",
 'INSTALL': '/usr/bin/install -c',
 'LDSHARED': 'c++ -shared',
 'LIBPL': '/opt/it/lib/python3.12/config-3.12-x86_64-linux-gnu',
 'NM': 'nm',
 'OPENSSL_INCLUDES': '-I/opt/it/include',
 'abs_srcdir': '/usr/src/Python-3.12.4',
 'install_dir': './install/x /installed $(srcdir)/install-sh clang-format'}
"""
SCRIPT = """\
#!/bin/sh
'''exec' "$(dirname -- "$(realpath -- "$0")")/python3.12" "$0" "$@"
' '''
# -*- coding: utf-8 -*-
"""


def unpacked(data: bytes, directory: Path) -> dict[str, tuple[Entry, bytes]]:
    """Return the entries of an archive with their contents, by the paths below `PYTHON`."""
    path = directory / "archive"
    path.write_bytes(data)
    with unpacked_python(LOCKED, path, directory) as entries:
        found = {
            each.path.removeprefix(f"{PYTHON}/"): (each, read_all(each.content)) for each in entries
        }
    assert [each.name for each in directory.iterdir()] == ["archive"]
    return found


def test_an_archive_keeps_nothing_of_the_machine_that_built_it(tmp_path: Path) -> None:
    members: dict[str, bytes | str | Path] = NEEDED | {
        "bin/python": "python3.12",
        "bin/pip": SCRIPT.encode(),
        "lib/pkgconfig/python3.pc": b"prefix=/install\n",
        "lib/python3.12/EXTERNALLY-MANAGED": b"",
        "lib/python3.12/__pycache__/os.cpython-312.pyc": b"",
        "lib/python3.12/_sysconfigdata__linux_x86_64-linux-gnu.py": b"a = '/install/lib'\n",
        "lib/python3.12/build-details.json": json.dumps({"base_prefix": "/install"}).encode(),
        "share/terminfo/a/ansi": b"",
        "share/terminfo/x/xterm": "../a/ansi",
    }
    found = unpacked(archive(members.items()), tmp_path)
    gone = {"lib/python3.12/EXTERNALLY-MANAGED", "lib/python3.12/__pycache__/os.cpython-312.pyc"}
    assert found.keys() == members.keys() - gone
    contents = {path: content for path, (_, content) in found.items()}
    assert contents["bin/pip"] == b"#!/opt/cogn/python/bin/python3.12\n# -*- coding: utf-8 -*-\n"
    assert contents["lib/pkgconfig/python3.pc"] == b"prefix=/opt/cogn/python\n"
    assert (
        b"'/opt/cogn/python/lib'"
        in contents["lib/python3.12/_sysconfigdata__linux_x86_64-linux-gnu.py"]
    )
    assert json.loads(contents["lib/python3.12/build-details.json"]) == {
        "base_prefix": "/opt/cogn/python"
    }
    # What is no text that a build writes stays as it is.
    assert {path: contents[path] for path in NEEDED} == NEEDED
    entries = {path: entry for path, (entry, _) in found.items()}
    assert {entry.mtime for entry in entries.values()} == {Entry.directory("").mtime}
    assert {(entry.uid, entry.gid) for entry in entries.values()} == {(0, 0)}
    assert {path: entry.mode for path, entry in entries.items() if path in NEEDED} == {
        "bin/python3.12": 0o755,
        "lib/python3.12/os.py": 0o644,
    }
    assert entries["share/terminfo/x/xterm"].target == "../a/ansi"


def test_places_and_compilers_of_the_build_are_replaced_and_nothing_else() -> None:
    assert relocated(SYSCONFIG, "/opt/it") == RELOCATED
    assert relocated(RELOCATED, "/opt/it") == RELOCATED


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, target
    return found


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ([member("/etc/passwd")], "has a path `/etc/passwd`, which is not a relative path"),
        ([member("python/../x")], "has a path `python/../x`, which has a part `..`"),
        ([member("other/x")], "has `other/x` outside of its directory `python`"),
        (
            [member("python/x", tarfile.SYMTYPE, "/etc")],
            "has a link `x` that leads out of it: `/etc`",
        ),
        (
            [member("python/a/x", tarfile.SYMTYPE, "../../x")],
            "has a link `a/x` that leads out of it: `../../x`",
        ),
        (
            [member("python/a/x", tarfile.SYMTYPE, "b/../x")],
            "has a link `a/x` to `b/../x`, which has a part `..`",
        ),
        (
            [member("python/x", tarfile.LNKTYPE, "etc/passwd")],
            "has `etc/passwd` outside of its directory `python`",
        ),
        (
            [member("python/x", tarfile.SYMTYPE, "lib"), member("python/x/y")],
            "has `x/y` below `x`, which is no directory",
        ),
        (
            [member("python/x", tarfile.CHRTYPE)],
            "has `x`, which is neither a file, a directory nor a link",
        ),
        ([member("python/x"), member("python/x")], "has `x` twice"),
        (
            [member("python/.wh.x")],
            "has a path `python/.wh.x`, which has a name that container runtimes read as a "
            "deletion (`.wh.`)",
        ),
        ([member("python/x")], "holds no CPython 3.12.4: there is no file `bin/python3.12`"),
    ],
)
def test_an_archive_that_no_honest_build_gives_is_refused(
    tmp_path: Path, members: list[tarfile.TarInfo], fault: str
) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for each in members:
            tar.addfile(each)
    with pytest.raises(PythonArchiveError) as error:
        unpacked(gzip.compress(out.getvalue()), tmp_path)
    assert error.value.message == f"`{FILE}` {fault}"


def test_a_damaged_archive_and_one_that_unpacks_to_too_much_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = archive(NEEDED.items())
    for damaged in (data[:-20], b"no archive", gzip.compress(b"no archive" * 100)):
        with pytest.raises(PythonArchiveError, match="is damaged: "):
            unpacked(damaged, tmp_path)
    monkeypatch.setattr(standalone, "_LARGEST", 1000)
    with pytest.raises(PythonArchiveError, match="unpacks to more than 1000 bytes"):
        unpacked(data, tmp_path)
