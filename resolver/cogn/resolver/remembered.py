"""What was made out of a project's files, remembered for as long as these stay the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from cogn.store import Cache

__all__ = ["Remembered"]

_Value = TypeVar("_Value")

_SETTLED = 2.0
"""Seconds. Times of files may be as coarse: one that just changed may change again unseen."""


class _Note(msgspec.Struct, frozen=True):
    files: dict[str, str | None]
    """The hash of each file that counts, None where there is none."""
    value: msgspec.Raw


class Remembered(Generic[_Value]):
    """Values of one type, by the project that they were made of, as notes of a cache.

    `kind` names the notes: another one when another thing is made of the same files.
    """

    def __init__(self, cache: Cache, kind: str, type_: type[_Value]) -> None:
        self._cache = cache
        self._kind = kind
        self._type = type_

    def find(self, root: Path, *what: str) -> _Value | None:
        """Return what was made of the project in `root` for `what`, if its files are the same."""
        note = self._cache.note(self._kind, _key(root, what))
        try:
            decoded = None if note is None else msgspec.json.decode(note, type=_Note)
            if decoded is None or _hashes(root, decoded.files) != decoded.files:
                return None
            return msgspec.json.decode(decoded.value, type=self._type)
        except msgspec.DecodeError:  # damaged: as good as none
            return None

    def keep(
        self, value: _Value, begin: float, files: Iterable[str], root: Path, *what: str
    ) -> None:
        """Note what was made of `files`, which may be absent, from the moment `begin` on.

        Files that changed shortly before may change unseen, so nothing is noted of them.
        """
        hashes = _hashes(root, files)
        if _latest_change(root, hashes) + _SETTLED < begin:
            content = {"files": hashes, "value": value}
            self._cache.set_note(self._kind, _key(root, what), content)


def _key(root: Path, what: tuple[str, ...]) -> str:
    parts = [os.fsencode(root.resolve()), *(each.encode() for each in what)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _hashes(root: Path, names: Iterable[str]) -> dict[str, str | None]:
    hashes: dict[str, str | None] = {}
    for name in names:
        try:
            hashes[name] = hashlib.sha256((root / name).read_bytes()).hexdigest()
        except (OSError, ValueError):  # reading the project tells what is wrong, if anything is
            hashes[name] = None
    return hashes


def _latest_change(root: Path, hashes: Mapping[str, str | None]) -> float:
    return max(
        ((root / name).stat().st_ctime for name, known in hashes.items() if known), default=0.0
    )
