"""Systems composed earlier, as notes of the cache: what decides over one is the key of its note.

A system of cogn's own follows from what was asked for and from the archives' signed releases: these
name the indexes by their hashes, and the indexes the packages. With a note of it, no index of tens
of thousands of packages is fetched and read, and nothing is searched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import msgspec
import resolvelib

from cogn.lockfiles import Platform, model
from cogn.resolver.composition import System, SystemRequest, archive_of
from cogn.resolver.pythons import PythonBuilds
from cogn.store import Cache, debian
from cogn.store.debian import OpenSuite

__all__ = ["ComposedSystem"]

_NOTES = "systems"


class ComposedSystem:
    """What follows from all this, with no image below and no earlier lock to stay near to."""

    def __init__(
        self,
        cache: Cache,
        request: SystemRequest,
        platform: Platform,
        suites: Iterable[OpenSuite],
        pythons: PythonBuilds,
    ) -> None:
        self._cache = cache
        decides = (request, platform, [archive_of(suite) for suite in suites], pythons, _rules())
        encoded = msgspec.json.encode(decides, order="deterministic")
        self._key = hashlib.sha256(encoded).hexdigest()

    def find(self) -> System | None:
        """Return the system as it was composed, None where that is not known."""
        note = self._cache.note(_NOTES, self._key)
        try:
            return None if note is None else msgspec.json.decode(note, type=System)
        except msgspec.DecodeError:  # damaged: as good as none
            return None

    def keep(self, system: System) -> None:
        """Note what was composed."""
        self._cache.set_note(_NOTES, self._key, system)


@cache
def _rules() -> str:
    """Return the hash of the code that composes: no number that has to be remembered to change."""
    files = [Path(model.__file__)]
    for package in (Path(__file__).parent, Path(debian.__file__).parent):
        files += sorted(package.glob("*.py"))
    digest = hashlib.sha256(resolvelib.__version__.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
