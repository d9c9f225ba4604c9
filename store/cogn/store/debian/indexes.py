"""Packages indexes of an archive, whichever way they are compressed, and what is in them by name.

An index is checked by its hash before it is read, so the limit here is for the memory of a machine
that meets an archive gone wrong, not for an attacker. Few of its tens of thousands of packages are
looked at: a stanza is parsed when somebody asks for its package.
"""

from __future__ import annotations

import lzma
import re
from collections.abc import Collection, Iterable, Sequence
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
_NAME = re.compile(rb"^Package:[ \t]*(\S+)", re.MULTILINE)
_PROVIDES = re.compile(rb"\nProvides:([^\n]*(?:\n[ \t][^\n]*)*)")
_PROVIDED = re.compile(rb"(?:^|[,|])\s*([^\s,|:(]+)")


class Packages:
    """The packages of some indexes. What is wrong with one is told when it is asked for."""

    def __init__(self, texts: Iterable[bytes]) -> None:
        """Take the texts of the indexes; raises `ArchiveError` for a package without a name."""
        self._stanzas: dict[str, list[bytes]] = {}
        for text in texts:
            for stanza in text.split(b"\n\n"):
                if match := _NAME.search(stanza):
                    self._stanzas.setdefault(match[1].decode(errors="replace"), []).append(stanza)
                elif stanza.strip():
                    raise ArchiveError("a package of the index (unnamed) has no field 'Package'")

    @property
    def names(self) -> Collection[str]:
        """The names of all packages."""
        return self._stanzas.keys()

    def named(self, name: str) -> Sequence[Package]:
        """Return the packages of that name, one for each version; raises `ArchiveError`."""
        return [_parsed(stanza) for stanza in self._stanzas.get(name, ())]

    def providing(self, name: str) -> Sequence[str]:
        """Return the names of packages that provide what has that name, in some version."""
        return self._provided.get(name, ())

    @cached_property
    def essential(self) -> Sequence[str]:
        """The names of packages of which some version is essential; raises `ArchiveError`."""
        marked = (
            name
            for name, stanzas in self._stanzas.items()
            if any(b"\nEssential:" in stanza for stanza in stanzas)
        )
        return [name for name in marked if any(each.essential for each in self.named(name))]

    @cached_property
    def _provided(self) -> dict[str, list[str]]:
        # Far more packages provide something than anyone depends on: the names alone are read.
        provided: dict[str, list[str]] = {}
        for name, stanzas in self._stanzas.items():
            for stanza in stanzas:
                if b"\nProvides:" in stanza and (match := _PROVIDES.search(stanza)):
                    for each in set(_PROVIDED.findall(match[1])):
                        provided.setdefault(each.decode(errors="replace"), []).append(name)
        return provided


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


def _parsed(stanza: bytes) -> Package:
    try:
        (package,) = parse_packages(stanza.decode().split("\n"))
    except UnicodeDecodeError as error:
        raise ArchiveError(f"the index of packages is damaged: {error}") from error
    return package
