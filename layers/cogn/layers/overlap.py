"""Two wheels, or packages, that write one path: different files there break one of them.

A large one has a layer of its own and is built on its own, perhaps in another year: so what each
writes is noted in the cache when its layer is built, and compared for all of an environment.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from cogn.layers.content import read
from cogn.layers.debian.listing import Item, Listing
from cogn.layers.entry import DeflateStream, Entry, Kind, Slice
from cogn.layers.errors import DebError, WheelError
from cogn.layers.facts import Facts
from cogn.lockfiles import Deb, Wheel
from cogn.report import ProblemsError
from cogn.store import Cache

__all__ = ["check_overlaps", "check_packages", "note_files"]

_KIND = "wheel-files"

_Files = dict[str, tuple[int, int]]
"""Size and CRC-32 of each file, by path."""


def note_files(wheel: Wheel, entries: Iterable[Entry], cache: Cache) -> None:
    """Keep what the wheel writes for `check_overlaps`."""
    files: _Files = {
        entry.path: (entry.content.size, _crc(entry))
        for entry in entries
        if entry.kind is Kind.FILE
    }
    cache.set_note(_KIND, wheel.sha256, files)


def check_overlaps(wheels: Sequence[Wheel], cache: Cache) -> None:
    """Raise `WheelError`, or `ProblemsError`, for two wheels that write different files in a place.

    `wheels` go into one directory. One without a note was never unpacked here: its layer is
    sealed, and whoever sealed it has compared it.
    """
    owners: dict[str, tuple[Wheel, tuple[int, int]]] = {}
    problems = []
    for wheel in wheels:
        note = cache.note(_KIND, wheel.sha256)
        files = {} if note is None else msgspec.json.decode(note, type=_Files)
        for path, identity in files.items():
            other, known = owners.setdefault(path, (wheel, identity))
            if known != identity:
                problems.append(
                    WheelError(
                        f"`{other.file}` and `{wheel.file}` both install `{path}`, and differently",
                        hint="leave out one of the two packages",
                    )
                )
    ProblemsError.raise_if_any(problems)


def check_packages(
    lower: Sequence[Deb], system: Sequence[Deb], listings: Mapping[str, Listing], facts: Facts
) -> None:
    """Raise `DebError`, or `ProblemsError`, for packages that have different files in one place.

    `listings` are those of all of them by SHA-256. What `system` packages replace is decided where
    they are unpacked together; what a lower one has stays what it is, as no layer removes files.
    """
    together = {deb.name for deb in system}
    owners: dict[str, tuple[Deb, Item]] = {}
    problems = []
    for deb in (*lower, *system):
        for path, item in listings[deb.sha256].placed(facts):
            other, known = owners.setdefault(path, (deb, item))
            if other is deb or _agree(known, item):
                continue
            is_replaced = deb.name in other.replaces or other.name in deb.replaces
            if is_replaced and {deb.name, other.name} <= together:
                continue
            problems.append(_conflict(deb, other, f"have different files at `{path}`"))
    parents: set[str] = set()
    for path, (deb, _) in owners.items():
        while (path := path.rpartition("/")[0]) and path not in parents:
            parents.add(path)
            if path in owners and owners[path][1].kind != "directory":
                what = f"differ about `{path}`, which only one of them takes for a directory"
                problems.append(_conflict(deb, owners[path][0], what))
    ProblemsError.raise_if_any(problems)


def _agree(one: Item, other: Item) -> bool:
    """Tell whether two packages can have these at the same path."""
    if one.kind == other.kind == "directory":
        return True
    if one.kind == other.kind == "symlink":
        return one.text == other.text
    return one == other


def _conflict(one: Deb, other: Deb, what: str) -> DebError:
    return DebError(
        f"the packages `{one.name} {one.version}` and `{other.name} {other.version}` {what}",
        hint="leave out one of the two in `system_packages`",
    )


def _crc(entry: Entry) -> int:
    content = entry.content
    if isinstance(content, Slice | DeflateStream) and content.crc is not None:
        return content.crc
    crc = 0
    for data in read(content):
        crc = zlib.crc32(data, crc)
    return crc
