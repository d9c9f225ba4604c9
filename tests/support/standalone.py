"""An archive in the form of python-build-standalone, out of the CPython that runs the tests."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

RELEASE = "20260101"
VERSION = platform.python_version()
MINOR = VERSION.rpartition(".")[0]
NEEDED = ("libbz2-1.0", "libffi8", "liblzma5", "libssl3t64", "zlib1g")
"""The packages with the libraries that a build of the real project has within it."""

_DISTRIBUTIONS = {"deb_system", "posix_local", "rpm_prefix"}
"""Schemes of installation that only distributions have."""

_LEFT_OUT = {"__pycache__", "idlelib", "site-packages", "test", "tests", "tkinter", "turtledemo"}
_PROGRAM = """\
#!/bin/sh
'''exec' "$(dirname -- "$(realpath -- "$0")")/python{minor}" "$0" "$@"
' '''
import sys
from pip._internal.cli.main import main
sys.exit(main())
"""
_PKGCONFIG = "prefix=/install\nlibdir=${prefix}/lib\nLibs: -L/install/lib\n"


@dataclass(frozen=True)
class FakeBuild:
    """A build on a mirror of its own, and what tells uv and cogn of it."""

    mirror: Path
    file: str
    sha256: str

    @property
    def archive(self) -> Path:
        """Where the archive is."""
        return self.mirror / RELEASE / self.file

    @property
    def environment(self) -> dict[str, str]:
        """The variables that name the mirror and the list."""
        return {
            "UV_PYTHON_INSTALL_MIRROR": self.mirror.as_uri(),
            "UV_PYTHON_DOWNLOADS_JSON_URL": (self.mirror / "list.json").as_uri(),
        }


def file_name(version: str = VERSION) -> str:
    """Return the name of an archive for this machine."""
    machine = platform.machine()
    return f"cpython-{version}+{RELEASE}-{machine}-unknown-linux-gnu-install_only_stripped.tar.gz"


def make_build(mirror: Path) -> FakeBuild:
    """Make the archive of the running CPython; skips the test if that is a distribution's."""
    if _DISTRIBUTIONS & set(sysconfig.get_scheme_names()) or sys.platform != "linux":
        pytest.skip("needs a CPython that no distribution has changed")
    members = dict(_members(Path(sys.base_prefix)))
    return put_build(mirror, archive(members.items()))


def put_build(mirror: Path, data: bytes, *, version: str = VERSION) -> FakeBuild:
    """Put an archive on a mirror."""
    build = FakeBuild(mirror, file_name(version), hashlib.sha256(data).hexdigest())
    build.archive.parent.mkdir(parents=True)
    build.archive.write_bytes(data)
    url = f"https://example.org/{RELEASE}/{quote(build.file)}"
    entry = {"name": "cpython", "url": url, "sha256": build.sha256}
    (mirror / "list.json").write_text(json.dumps({"a build": entry}))
    return build


def archive(members: Iterable[tuple[str, bytes | str | Path]]) -> bytes:
    """Return an archive of files (bytes or a path) and links (text), below ``python/``."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in members:
            member = tarfile.TarInfo(f"python/{name}")
            member.uid, member.mtime = 1000, 1_767_225_600
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                tar.addfile(member)
                continue
            data = content.read_bytes() if isinstance(content, Path) else content
            member.size = len(data)
            member.mode = 0o775 if name.startswith("bin/") else 0o664
            tar.addfile(member, io.BytesIO(data))
    return gzip.compress(out.getvalue(), compresslevel=1)


def _members(home: Path) -> Iterator[tuple[str, bytes | str | Path]]:
    library = home / "lib" / f"python{MINOR}"
    yield f"bin/python{MINOR}", _movable((home / "bin" / f"python{MINOR}").read_bytes(), home)
    yield "bin/python3", f"python{MINOR}"
    yield "bin/python", f"python{MINOR}"
    for name in ("pip", "pip3", f"pip{MINOR}"):
        yield f"bin/{name}", _PROGRAM.format(minor=MINOR).encode()
    for path in sorted(home.glob(f"lib/libpython{MINOR}.so.*")):
        yield f"lib/{path.name}", _movable(path.read_bytes(), home)
    yield "lib/pkgconfig/python3.pc", _PKGCONFIG.encode()
    for path in sorted((home / "include").rglob("*.h")):
        yield str(path.relative_to(home)), path
    yield f"lib/python{MINOR}/EXTERNALLY-MANAGED", b"[externally-managed]\n"
    yield f"lib/python{MINOR}/__pycache__/os.cpython-{MINOR.replace('.', '')}.pyc", b"old"
    for path in sorted(library.rglob("*")):
        below = path.relative_to(library)
        is_left_out = _LEFT_OUT & set(below.parts) or below.parts[0].startswith("config-")
        if is_left_out or not path.is_file() or path.suffix == ".pyc":
            continue
        is_data = below.name.startswith("_sysconfigdata")
        yield f"lib/python{MINOR}/{below}", _built(path, home) if is_data else path
    (pip,) = library.glob("ensurepip/_bundled/pip-*.whl")
    with zipfile.ZipFile(pip) as wheel:
        for name in wheel.namelist():
            yield f"lib/python{MINOR}/site-packages/{name}", wheel.read(name)


def _movable(program: bytes, home: Path) -> bytes:
    """Let a program find its library by its own place, as those of the real project do."""
    path, relative = f"{home}/lib\0".encode(), b"$ORIGIN/../lib\0"
    return program.replace(path, relative.ljust(len(path), b"\0"))


def _built(path: Path, home: Path) -> bytes:
    """Return what `sysconfig` reads, with the places of the real project's builds."""
    text = path.read_text().replace(str(home), "/install")
    built_in = sysconfig.get_config_var("abs_builddir")
    text = text.replace(str(built_in), f"/build/Python-{VERSION}")
    for name, value in (
        ("CC", "clang -pthread"),
        ("CXX", "/usr/bin/x86_64-linux-gnu-g++ -pthread"),
        ("AR", "/tools/llvm/bin/llvm-ar"),
        ("CFLAGS", "-O3 -fdebug-default-version=4 -I/tools/deps/include/ncursesw -fPIC"),
    ):
        text += f"\nbuild_time_vars[{name!r}] = {value!r}\n"
    return text.encode()
