"""Two wheels that write one path: the same file is no harm, different ones break one of them.

A large wheel has a layer of its own and is built on its own, perhaps in another year: so what each
wheel writes is noted in the cache when its layer is built, and compared for all of an environment.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

import msgspec

from cogn.layers.content import read
from cogn.layers.entry import DeflateStream, Entry, Kind, Slice
from cogn.layers.errors import WheelError
from cogn.lockfiles import Wheel
from cogn.report import ProblemsError
from cogn.store import Cache

__all__ = ["check_overlaps", "note_files"]

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


def _crc(entry: Entry) -> int:
    content = entry.content
    if isinstance(content, Slice | DeflateStream) and content.crc is not None:
        return content.crc
    crc = 0
    for data in read(content):
        crc = zlib.crc32(data, crc)
    return crc
