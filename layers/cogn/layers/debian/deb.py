"""Debian binary packages (deb(5)), read without dpkg and without running anything of them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

import zstandard
from debian.deb822 import Deb822

from cogn.layers.content import read_all
from cogn.layers.entry import Bytes, Content, Entry, Kind, Slice, check_path
from cogn.layers.errors import DebError
from cogn.layers.untar import members

__all__ = ["ControlFile", "DebFile", "open_deb"]

_COMPRESSIONS = ("", ".gz", ".xz", ".lzma", ".bz2", ".zst")
_MAGIC = b"!<arch>\n"
_HEADER = 60
_CHUNK = 1 << 20
_LARGEST_CONTROL = 16 << 20
_LARGEST_DICTIONARY = 128 << 20
_MOST_MEMBERS = 1_000_000
_ALWAYS_ALLOWED = 64 << 20
_MOST_TIMES = 200
"""What unpacks to more times its size than this is no package: most unpack to 3 or 4 times it."""
_LARGEST_ID = 0o7777777
_LATEST_MTIME = 0o77777777777


@dataclass(frozen=True, slots=True)
class ControlFile:
    """A file of a package's control archive, such as a maintainer script."""

    data: bytes
    mode: int


class DebFile:
    """An open package. Get it from `open_deb`."""

    def __init__(self, file: Path, name: str, scratch: Path) -> None:
        self.name = name
        """What messages call it."""
        self._scratch = scratch
        self._size = file.stat().st_size
        self._members = _members(file, name)
        self.files = {
            entry.path: ControlFile(read_all(entry.content), entry.mode)
            for entry in self._unpack("control.tar", _LARGEST_CONTROL)
            if entry.kind is Kind.FILE
        }
        """The files of the control archive by name, ``control`` itself included."""
        if "control" not in self.files:
            raise DebError(f"`{name}` has no control file")
        if fault := next((each for each in self.files if each == "list" or "/" in each), None):
            raise DebError(f"`{name}` has a control file `{fault}`, which no package may have")

    @cached_property
    def control(self) -> str:
        """The text of the control file: one stanza, with a newline at its end."""
        try:
            return self.files["control"].data.decode().strip("\n") + "\n"
        except UnicodeDecodeError as error:
            raise DebError(f"the control file of `{self.name}` is not UTF-8") from error

    @cached_property
    def fields(self) -> Mapping[str, str]:
        """The fields of the control file (Debian policy 5.3)."""
        return Deb822(self.control)

    @cached_property
    def entries(self) -> list[Entry]:
        """The package's tree, in its own order and with the paths as packaged.

        The content of its files lies in a temporary file that goes when the package is closed.
        Raises `DebError` when the tree is malformed or hostile.
        """
        installed = self.fields.get("Installed-Size", "")
        kibibytes = int(installed) if installed.isdecimal() else 0
        # A tar of many small files takes a few times what the field counts.
        stated, likely = 4 * 1024 * kibibytes, _MOST_TIMES * self._size
        return self._unpack("data.tar", min(stated, likely) + _ALWAYS_ALLOWED)

    @property
    def md5sums(self) -> bytes:
        """The list of the package's files with their MD5 sums (deb-md5sums(5)); may be empty."""
        listed = self.files.get("md5sums")
        return b"" if listed is None else listed.data

    def file(self, path: str) -> Entry:
        """Return the file at `path`; raises `DebError` when there is none."""
        for entry in self.entries:
            if entry.path == path and entry.kind is Kind.FILE:
                return entry
        raise DebError(f"`{self.name}` has no file `{path}`")

    def _unpack(self, member: str, limit: int) -> list[Entry]:
        tar = self._scratch / member
        with tar.open("wb") as out:
            for data in self._decompressed(member, limit):
                out.write(data)
        return _entries(tar, self.name)

    def _decompressed(self, member: str, limit: int) -> Iterator[bytes]:
        """Yield the plain bytes of a member that may have any suffix of compression."""
        found = [name for name in self._members if name.startswith(member)]
        if len(found) != 1:
            raise DebError(f"`{self.name}` has no single member `{member}`")
        compression = found[0].removeprefix(member)
        if compression not in _COMPRESSIONS:
            msg = f"`{self.name}` is compressed in a way that cogn does not read: `{found[0]}`"
            raise DebError(msg)
        part = self._members[found[0]]
        size = 0
        try:
            with part.file.open("rb") as file:
                for data in _plain(io.BufferedReader(_Part(file, part)), compression):
                    size += len(data)
                    if size > limit:
                        msg = f"`{self.name}`: `{member}` unpacks to more than {limit} bytes"
                        raise DebError(msg)
                    yield data
        except (OSError, EOFError, lzma.LZMAError, zlib.error, zstandard.ZstdError) as error:
            raise DebError(f"`{self.name}`: `{found[0]}` is damaged: {error}") from error


@contextmanager
def open_deb(file: Path, name: str, scratch: Path) -> Iterator[DebFile]:
    """Give the package in `file`; what it unpacks to lies below the directory `scratch` meanwhile.

    `name` is what messages call it. Raises `DebError` when the file breaks the format.
    """
    with tempfile.TemporaryDirectory(dir=scratch) as directory:
        yield DebFile(file, name, Path(directory))


class _Part(io.RawIOBase):
    """A read-only window onto a part of a file."""

    def __init__(self, file: IO[bytes], part: Slice) -> None:
        self._file = file
        self._left = part.size
        file.seek(part.offset)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any buffer there
        data = self._file.read(min(len(buffer), self._left))
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)


def _plain(file: io.BufferedReader, compression: str) -> Iterator[bytes]:
    """Yield what compressed bytes stand for, in pieces, with memory that does not depend on it."""
    match compression:
        case ".xz" | ".lzma":
            yield from _unpacked_lzma(file)
            return
        case ".gz":
            plain: IO[bytes] | io.BufferedIOBase = gzip.GzipFile(fileobj=file)
        case ".bz2":
            plain = bz2.BZ2File(file)
        case ".zst":
            decompressor = zstandard.ZstdDecompressor(max_window_size=_LARGEST_DICTIONARY)
            plain = decompressor.stream_reader(file, read_across_frames=True)
        case _:
            plain = file
    while data := plain.read(_CHUNK):
        yield data


def _unpacked_lzma(file: io.BufferedReader) -> Iterator[bytes]:
    """Yield what streams of xz or lzma stand for: `LZMAFile` cannot be told a limit of memory."""
    rest = file.read(_CHUNK)
    while rest:
        decompressor = lzma.LZMADecompressor(memlimit=2 * _LARGEST_DICTIONARY)
        while not decompressor.eof:
            if decompressor.needs_input:
                rest = rest or file.read(_CHUNK)
                if not rest:
                    raise EOFError("it ends too early")
            yield decompressor.decompress(rest, _CHUNK)
            rest = b""
        rest = decompressor.unused_data or file.read(_CHUNK)


def _members(file: Path, name: str) -> dict[str, Slice]:
    """Return the members of the ar archive, without those that the format says to ignore."""
    members: dict[str, Slice] = {}
    end = file.stat().st_size
    with file.open("rb") as archive:
        if archive.read(len(_MAGIC)) != _MAGIC:
            raise DebError(f"`{name}` is not a Debian package")
        while header := archive.read(_HEADER):
            member = header[:16].decode("ascii", "replace").rstrip(" ").removesuffix("/")
            size = header[48:58].rstrip(b" ")
            offset = archive.tell()
            if len(header) < _HEADER or header[58:] != b"`\n" or not size.isdigit():
                raise DebError(f"`{name}` has a damaged member header")
            if offset + int(size) > end:
                raise DebError(f"`{name}` ends inside its member `{member}`")
            if member in members:
                raise DebError(f"`{name}` has two members `{member}`")
            if not member.startswith("_"):
                members[member] = Slice(file, offset, int(size))
            archive.seek(offset + int(size) + int(size) % 2)
    version = members.get("debian-binary")
    if version is None or version.size > _CHUNK or not read_all(version).startswith(b"2."):
        raise DebError(f"`{name}` is not a Debian package of format 2")
    return members


def _entries(tar: Path, name: str) -> list[Entry]:
    """Return what the plain tar file holds, apart from its root directory."""
    entries: dict[str, Entry] = {}
    try:
        for member in members(tar):
            if len(entries) >= _MOST_MEMBERS:
                raise DebError(f"`{name}` has more than {_MOST_MEMBERS} files")
            path = member.name.removeprefix("./").rstrip("/")
            if path in {"", "."} and member.isdir():
                continue
            if fault := check_path(path):
                raise DebError(f"`{name}`: its path `{path}` {fault}")
            if path in entries:
                raise DebError(f"`{name}` has `{path}` twice")
            entries[path] = _entry(member, path, tar, entries, name)
    except (tarfile.TarError, UnicodeError, ValueError) as error:
        raise DebError(f"`{name}`: its {tar.name} is damaged: {error}") from error
    return list(entries.values())


def _entry(
    member: tarfile.TarInfo, path: str, tar: Path, entries: Mapping[str, Entry], name: str
) -> Entry:
    if member.pax_headers:
        raise DebError(f"`{name}`: `{path}` has an extended header, which deb(5) does not allow")
    mtime = int(member.mtime)
    if not (
        0 <= member.uid <= _LARGEST_ID
        and 0 <= member.gid <= _LARGEST_ID
        and 0 <= mtime <= _LATEST_MTIME
    ):
        raise DebError(f"`{name}`: `{path}` has an owner or a time out of range")
    target = ""
    content: Content = Bytes(b"")
    if member.isdir():
        kind = Kind.DIRECTORY
    elif member.isreg() and not member.issparse():
        kind = Kind.FILE
        content = Slice(tar, member.offset_data, member.size)
    elif member.issym() and member.linkname:
        kind, target = Kind.SYMLINK, member.linkname
    elif member.islnk():
        kind, target = Kind.HARDLINK, member.linkname.removeprefix("./")
        linked = entries.get(target)
        if linked is None or linked.kind is not Kind.FILE:
            msg = f"`{name}`: `{path}` is a hard link to `{target}`, which is no earlier file of it"
            raise DebError(msg)
    else:
        raise DebError(f"`{name}`: `{path}` is neither a file, a directory nor a link")
    return Entry(
        path=path,
        kind=kind,
        mode=member.mode & 0o7777,
        mtime=mtime,
        uid=member.uid,
        gid=member.gid,
        target=target,
        content=content,
    )
