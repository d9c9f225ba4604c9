"""Reading a wheel (PEP 427): its files as content that can be copied, and nothing hostile.

A wheel is a zip archive (APPNOTE.TXT). `zipfile` reads its central directory; the places of the
compressed streams are read here, because copying them as they are is what makes layers fast.
"""

from __future__ import annotations

import struct
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, NoReturn

from packaging.utils import canonicalize_name, parse_wheel_filename

from cogn.layers.content import read_all
from cogn.layers.entry import Content, DeflateStream, Slice, check_path
from cogn.layers.errors import WheelError

__all__ = ["WheelFile", "WheelMember"]

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED = 0x1
_UTF8 = 0x800
_SYMLINK = 0o120000
_FILE_TYPE = 0o170000
_EXECUTABLE = 0o111
_LARGEST_METADATA = 64 << 20


@dataclass(frozen=True, slots=True)
class WheelMember:
    """One file of a wheel."""

    path: str
    content: Content
    executable: bool


class WheelFile:
    """An opened wheel; every member is checked before the first is given.

    `name` is the wheel's file name (a cached file is named by its hash). Raises `WheelError` for a
    file that is not a zip archive or has a member that must not be unpacked.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self._path = path
        try:
            with path.open("rb") as file, zipfile.ZipFile(file) as archive:
                self.members = tuple(self._members(archive, file))
        except (zipfile.BadZipFile, NotImplementedError, EOFError, UnicodeDecodeError) as error:
            self._refuse(f"not a readable zip archive ({error})")

    @cached_property
    def dist_info(self) -> str:
        """The name of the `.dist-info` directory, which must agree with the file name."""
        tops = {member.path.partition("/")[0] for member in self.members}
        found = sorted(top for top in tops if top.endswith(".dist-info"))
        if len(found) != 1:
            self._refuse(f"has {len(found)} .dist-info directories, not one")
        project, _, _ = found[0].removesuffix(".dist-info").partition("-")
        if canonicalize_name(project) != parse_wheel_filename(self.name)[0]:
            self._refuse(f"`{found[0]}` does not belong to the file name")
        return found[0]

    def metadata(self, file: str) -> str | None:
        """Return the text of a file of the `.dist-info` directory, or None when there is none."""
        path = f"{self.dist_info}/{file}"
        for member in self.members:
            if member.path == path:
                if member.content.size > _LARGEST_METADATA:
                    self._refuse("is too large", path)
                try:
                    return read_all(member.content).decode()
                except UnicodeDecodeError:
                    self._refuse("is not UTF-8", path)
        return None

    def _members(self, archive: zipfile.ZipFile, file: IO[bytes]) -> Iterator[WheelMember]:
        seen: dict[str, zipfile.ZipInfo] = {}
        end = 0
        for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
            path = info.filename
            if info.is_dir():
                path = path.removesuffix("/")
            # Backslashes are what some tools on Windows write where a slash belongs.
            fault = "has a backslash" if "\\" in path else check_path(path)
            if fault:
                self._refuse(fault, info.filename)
            if info.is_dir():
                continue
            if info.flag_bits & _ENCRYPTED:
                self._refuse("is encrypted", path)
            if info.external_attr >> 16 & _FILE_TYPE == _SYMLINK:
                self._refuse("is a symbolic link", path)
            # Two names that some file systems take for one would unpack differently by place.
            folded = unicodedata.normalize("NFC", path).casefold()
            if other := seen.get(folded):
                if other.filename != path:
                    self._refuse(f"differs from `{other.filename}` only by case or form", path)
                if (other.CRC, other.file_size) != (info.CRC, info.file_size):
                    self._refuse("is there twice with different content", path)
                continue
            seen[folded] = info
            if info.header_offset < end:
                self._refuse("overlaps another member", path)
            offset = self._data_offset(info, file)
            end = offset + info.compress_size
            yield WheelMember(
                path,
                self._content(info, offset),
                executable=bool(info.external_attr >> 16 & _EXECUTABLE),
            )
        if end > archive.start_dir:
            self._refuse("has a member that reaches into the central directory")

    def _content(self, info: zipfile.ZipInfo, offset: int) -> Content:
        name = f"`{self.name}`: `{info.filename}`"
        if info.compress_type == zipfile.ZIP_DEFLATED:
            return DeflateStream(
                self._path,
                offset,
                info.compress_size,
                size=info.file_size,
                crc=info.CRC,
                name=name,
            )
        if info.compress_type != zipfile.ZIP_STORED:
            self._refuse(f"is compressed by method {info.compress_type}", info.filename)
        if info.compress_size != info.file_size:
            self._refuse("is stored with two different sizes", info.filename)
        return Slice(self._path, offset, info.file_size, info.CRC, name)

    def _data_offset(self, info: zipfile.ZipInfo, file: IO[bytes]) -> int:
        """Return where the member's data begin; its local header must agree with the directory."""
        file.seek(info.header_offset)
        signature, name_length, extra_length = _LOCAL_HEADER.unpack(
            file.read(_LOCAL_HEADER.size).ljust(_LOCAL_HEADER.size, b"\0")
        )
        name = file.read(name_length)
        encoding = "utf-8" if info.flag_bits & _UTF8 else "cp437"
        if signature != _LOCAL_SIGNATURE or name != info.orig_filename.encode(encoding):
            self._refuse("has a local header that is not its own", info.filename)
        return int(info.header_offset + _LOCAL_HEADER.size + name_length + extra_length)

    def _refuse(self, fault: str, member: str | None = None) -> NoReturn:
        what = f"`{self.name}`" if member is None else f"`{self.name}`: `{member}`"
        raise WheelError(f"{what} {fault}")
