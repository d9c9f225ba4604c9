"""What a package has in it: read when it is unpacked, and noted in the cache by its hash.

A package is unpacked for its own layer alone. Whatever else has to know of its files - whether two
packages have different ones in one place, what the loader finds - goes by its listing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from cogn.layers.content import read
from cogn.layers.debian.deb import DebFile
from cogn.layers.debian.libraries import Library, read_library
from cogn.layers.debian.unpack import open_debs
from cogn.layers.entry import Content, Entry, Kind, Slice
from cogn.layers.facts import Facts
from cogn.lockfiles import Deb
from cogn.store import Cache

__all__ = ["Item", "Listing", "list_package", "listings", "note_listing"]

_NOTES = "deb-listing-1"  # another number when another thing is learnt from the same package


class Item(msgspec.Struct, frozen=True, array_like=True):
    """One path of a package. A hard link is the file that it is a link to."""

    kind: Literal["file", "directory", "symlink"]
    mode: int
    uid: int
    gid: int
    size: int = 0
    """Of a file, in bytes."""
    text: str = ""
    """Of a file, its MD5 sum as hex, as dpkg keeps it; of a symbolic link, its text."""
    library: Library | None = None
    """Of a shared library, what it is to the loader."""


class Listing(msgspec.Struct, frozen=True):
    """What a package has, by the paths as packaged, without dpkg's own records of it."""

    items: dict[str, Item]

    def placed(self, facts: Facts) -> Iterator[tuple[str, Item]]:
        """Yield what comes into an image whose base is as `facts` say, with real paths."""
        for path, item in self.items.items():
            if not facts.filters.leaves_out(path, _KINDS[item.kind]):
                is_directory = item.kind == "directory"
                real = facts.resolve_directory(path) if is_directory else facts.resolve(path)
                yield real, item


def list_package(package: DebFile) -> Listing:
    """Return the listing of an open package; raises `DebError` when it is malformed."""
    items: dict[str, Item] = {}
    for entry in package.entries:
        items[entry.path] = _item(entry, items)
    return Listing(items)


def note_listing(deb: Deb, package: DebFile, cache: Cache) -> Listing:
    """Return the listing of an open package, and keep it for `listings`."""
    listing = _noted(deb, cache)
    if listing is None:
        listing = list_package(package)
        cache.set_note(_NOTES, deb.sha256, listing)
    return listing


def listings(
    debs: Sequence[tuple[Deb, Path]], cache: Cache, scratch: Path
) -> Mapping[str, Listing]:
    """Return the listings of packages by their SHA-256; only those without a note are unpacked."""
    found = {}
    for deb, file in debs:
        listing = _noted(deb, cache)
        if listing is None:
            with open_debs([(deb, file)], scratch) as (package,):
                listing = note_listing(deb, package, cache)
        found[deb.sha256] = listing
    return found


def _noted(deb: Deb, cache: Cache) -> Listing | None:
    note = cache.note(_NOTES, deb.sha256)
    try:
        return None if note is None else msgspec.json.decode(note, type=Listing)
    except msgspec.DecodeError:  # damaged: as good as none
        return None


_KINDS = {"file": Kind.FILE, "directory": Kind.DIRECTORY, "symlink": Kind.SYMLINK}


def _item(entry: Entry, before: Mapping[str, Item]) -> Item:
    owned = entry.mode, entry.uid, entry.gid
    match entry.kind:
        case Kind.DIRECTORY:
            return Item("directory", *owned)
        case Kind.SYMLINK:
            return Item("symlink", *owned, text=entry.target)
        case Kind.HARDLINK:
            return before[entry.target]
        case Kind.FILE:
            library = _library(entry)
            return Item("file", *owned, entry.content.size, _md5(entry.content), library)


def _md5(content: Content) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for piece in read(content):
        digest.update(piece)
    return digest.hexdigest()


def _library(entry: Entry) -> Library | None:
    """Return what a file is to the loader, if ldconfig(8) looks into files of that name."""
    name = entry.path.rpartition("/")[2]
    content = entry.content
    if not (name.startswith(("lib", "ld")) and ".so" in name and isinstance(content, Slice)):
        return None
    with content.file.open("rb") as file:

        def piece(offset: int, count: int) -> bytes:
            file.seek(content.offset + offset)
            return file.read(max(0, min(count, content.size - offset)))

        return read_library(piece, content.size)
