"""Packages indexes of an archive, whichever way they are compressed, and what is in them by name.

An index is checked by its hash before it is read, so the limit here is for the memory of a machine
that meets an archive gone wrong, not for an attacker. Few of its tens of thousands of packages are
looked at: a stanza is parsed when somebody asks for its package.
"""

from __future__ import annotations

import lzma
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, cast

from isal import isal_zlib

from cogn.store.debian.packages import Package, parse_packages
from cogn.store.errors import ArchiveError

__all__ = ["KINDS", "Packages", "read_index"]

KINDS = (".gz", ".xz", "")
"""The suffixes of the compressions that archives use, best first. `xz` saves a quarter of the
download and takes six times as long to read: more than that quarter takes, from 50 Mbit/s on."""

_LARGEST = 512 << 20
_PIECE = 4 << 20
_NAME = re.compile(rb"\nPackage:[ \t]*(\S+)")
_ESSENTIAL = re.compile(rb"\nEssential:")
_PROVIDES = re.compile(rb"\nProvides:([^\n]*(?:\n[ \t][^\n]*)*)")
_PROVIDED = re.compile(rb"([^\s,|:(]+)[^,|]*")
_END = b"\n\n"


class Packages:
    """The packages of some indexes. What is wrong with one is told when it is asked for."""

    def __init__(self, texts: Iterable[bytes]) -> None:
        self._text = b"\n" + _END.join(texts)
        # Where the names are, in order: the stanza around one is looked for when it is wanted.
        self._names: list[str] = []
        self._places: list[int] = []
        self._by_name: dict[str, list[int]] = {}
        for match in _NAME.finditer(self._text):
            name, place = match[1].decode(errors="replace"), match.start()
            self._names.append(name)
            self._places.append(place)
            self._by_name.setdefault(name, []).append(place)

    @property
    def names(self) -> Collection[str]:
        """The names of all packages."""
        return self._by_name.keys()

    def named(self, name: str) -> Sequence[Package]:
        """Return the packages of that name, one for each version; raises `ArchiveError`."""
        return [self._package(place) for place in self._by_name.get(name, ())]

    def providing(self, name: str) -> Collection[str]:
        """Return the names of packages that provide what has that name, in some version."""
        return set(self._provided.get(name.encode(), ()))

    @cached_property
    def essential(self) -> Collection[str]:
        """The names of packages of which some version is essential; raises `ArchiveError`."""
        marked = {self._owner(match.start()) for match in _ESSENTIAL.finditer(self._text)}
        return {name for name in marked if any(each.essential for each in self.named(name))}

    @cached_property
    def _provided(self) -> Mapping[bytes, Sequence[str]]:
        # Far more packages provide something than anyone depends on: the names alone are read.
        provided = defaultdict(list)
        for match in _PROVIDES.finditer(self._text):
            owner = self._owner(match.start())
            for each in _PROVIDED.findall(match[1]):
                provided[each].append(owner)
        return provided

    def _owner(self, place: int) -> str:
        """Return the name in the stanza around a place, before or behind it."""
        end = self._text.find(_END, place)
        return self._names[bisect_left(self._places, end if end >= 0 else len(self._text)) - 1]

    def _package(self, place: int) -> Package:
        start, end = self._text.rfind(_END, 0, place + 1), self._text.find(_END, place + 1)
        stanza = self._text[max(start, 0) : end if end >= 0 else None]
        try:
            (package,) = parse_packages(stanza.decode().split("\n"))
        except UnicodeDecodeError as error:
            raise ArchiveError(f"the index of packages is damaged: {error}") from error
        return package


def read_index(file: Path, kind: str, name: str) -> bytes:
    """Return the text of an index; `kind` is one of `KINDS`, `name` its name for messages.

    Raises `ArchiveError` when it is damaged, or larger than any archive's.
    """
    pieces, left = [], _LARGEST
    try:
        with _opened(file, kind) as stream:
            while piece := stream.read(_PIECE):
                left -= len(piece)
                if left < 0:
                    raise ArchiveError(f"the index of packages {name} is too large")
                pieces.append(piece)
    except (EOFError, OSError, lzma.LZMAError, isal_zlib.IsalError) as error:  # type: ignore[misc]  # isal's stub is wrong
        raise ArchiveError(f"the index of packages {name} is damaged: {error}") from error
    return b"".join(pieces)


def _opened(file: Path, kind: str) -> IO[bytes]:
    match kind:
        case ".xz":
            return cast("IO[bytes]", lzma.open(file, format=lzma.FORMAT_XZ))
        case ".gz":
            from isal import igzip  # late: it brings a command line of its own

            return cast("IO[bytes]", igzip.open(file))  # type: ignore[no-untyped-call]
        case _:
            return file.open("rb")
