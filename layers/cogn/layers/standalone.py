"""A CPython of python-build-standalone, as the entries of a layer that fits every base.

The archive has one directory, ``python``, which goes to `PYTHON` as it is, apart from what its
build left there: bytecode (`cogn.layers.bytecode` makes it), the places of the build
(`build_paths`), times, owners and modes, and the mark that keeps pip from installing (PEP 668).

What is in it is checked although the lock names it by its hash: it is unpacked on the machine that
assembles as well, where it compiles.
"""

from __future__ import annotations

import gzip
import posixpath
import re
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from cogn.layers.build_paths import names_build_paths, relocated
from cogn.layers.content import read_all
from cogn.layers.entry import Bytes, Entry, Kind, Slice, check_path
from cogn.layers.errors import PythonArchiveError
from cogn.layers.plan import PYTHON
from cogn.layers.untar import members
from cogn.lockfiles import StandalonePython

__all__ = ["unpacked_python"]

_ROOT = "python"
_MARK = "EXTERNALLY-MANAGED"
_CACHE = "__pycache__"
_CHUNK = 1 << 20
_LARGEST = 1 << 30
_LARGEST_TEXT = 16 << 20
_MOST_MEMBERS = 100_000
_EXECUTABLE = 0o111
_UP = re.compile(r"\A(\.\./)+")


@contextmanager
def unpacked_python(
    python: StandalonePython, archive: Path, scratch: Path
) -> Iterator[list[Entry]]:
    """Give the entries of the interpreter; what they need lies below `scratch` until the end.

    Raises `PythonArchiveError` for an archive that is damaged, or holds what none does.
    """
    with tempfile.TemporaryDirectory(dir=scratch) as directory:
        plain = Path(directory) / "python.tar"
        _inflate(archive, plain, python.file)
        yield _Unpacking(python, plain).entries()


def _inflate(archive: Path, plain: Path, name: str) -> None:
    size = 0
    try:
        with gzip.open(archive) as file, plain.open("wb") as out:
            while data := file.read(_CHUNK):
                size += len(data)
                if size > _LARGEST:
                    raise PythonArchiveError(f"`{name}` unpacks to more than {_LARGEST} bytes")
                out.write(data)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise PythonArchiveError(f"`{name}` is damaged: {error}") from error


class _Unpacking:
    """One archive on its way into a layer."""

    def __init__(self, python: StandalonePython, tar: Path) -> None:
        self._python = python
        self._tar = tar

    def entries(self) -> list[Entry]:
        """Return the entries, every one checked."""
        entries: dict[str, Entry] = {}
        try:
            for count, member in enumerate(members(self._tar), 1):
                if count > _MOST_MEMBERS:
                    self._refuse(f"has more than {_MOST_MEMBERS} files")
                path = self._path(member.name)
                if path and _CACHE not in path.split("/") and not path.endswith(f"/{_MARK}"):
                    if path in entries:
                        self._refuse(f"has `{path}` twice")
                    entries[path] = self._entry(member, path)
        except (tarfile.TarError, UnicodeError, ValueError) as error:
            self._refuse(f"is damaged: {error}")
        for path in entries:
            self._check_parents(path, entries)
        version = self._python.version
        minor = version.rpartition(".")[0]
        for path in (f"bin/python{minor}", f"lib/python{minor}/os.py"):
            if path not in entries or entries[path].kind is not Kind.FILE:
                self._refuse(f"holds no CPython {version}: there is no file `{path}`")
        return [self._placed(entry) for entry in entries.values()]

    def _path(self, name: str) -> str:
        """Return the path of a member below the one directory, empty for that itself."""
        path = name.removeprefix("./").rstrip("/")
        if path in {".", ""}:
            return ""
        if fault := check_path(path):
            self._refuse(f"has a path `{path[:200]}`, which {fault}")
        top, _, below = path.partition("/")
        if top != _ROOT:
            self._refuse(f"has `{path[:200]}` outside of its directory `{_ROOT}`")
        return below

    def _entry(self, member: tarfile.TarInfo, path: str) -> Entry:
        if member.isdir():
            return Entry.directory(path)
        if member.issym():
            return Entry.symlink(path, self._target(member.linkname, path))
        if member.islnk():
            target = self._path(member.linkname)
            return Entry(path=path, kind=Kind.HARDLINK, mode=0o644, target=target)
        if not member.isreg() or member.issparse():
            self._refuse(f"has `{path}`, which is neither a file, a directory nor a link")
        content = Slice(self._tar, member.offset_data, member.size)
        entry = Entry.file(path, content, executable=bool(member.mode & _EXECUTABLE))
        return self._relocated(entry) if names_build_paths(path) else entry

    def _target(self, target: str, path: str) -> str:
        """Return the text of a link, which must not lead out of the directory."""
        end = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        if not target or target.startswith("/") or end.split("/")[0] == "..":
            self._refuse(f"has a link `{path}` that leads out of it: `{target[:200]}`")
        if fault := check_path(_UP.sub("", target)):
            self._refuse(f"has a link `{path}` to `{target[:200]}`, which {fault}")
        return target

    def _relocated(self, entry: Entry) -> Entry:
        if entry.content.size > _LARGEST_TEXT:
            return entry
        data = read_all(entry.content)
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return entry
        return replace(entry, content=Bytes(relocated(text, f"/{PYTHON}").encode()))

    def _check_parents(self, path: str, entries: Mapping[str, Entry]) -> None:
        """Refuse what lies below a link: where it would be unpacked is not what its path says."""
        parent = path
        while parent := parent.rpartition("/")[0]:
            above = entries.get(parent)
            if above is not None and above.kind is not Kind.DIRECTORY:
                self._refuse(f"has `{path}` below `{parent}`, which is no directory")

    def _placed(self, entry: Entry) -> Entry:
        target = f"{PYTHON}/{entry.target}" if entry.kind is Kind.HARDLINK else entry.target
        return replace(entry, path=f"{PYTHON}/{entry.path}", target=target)

    def _refuse(self, fault: str) -> NoReturn:
        raise PythonArchiveError(f"`{self._python.file}` {fault}")
