"""Which repositories have which layers, as earlier pushes of this machine know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec

from cogn.store.cache import Cache

__all__ = ["Places"]

_KIND = "places"
_WORTH_NOTING = 1_000_000
_MOST_OF_HOST = 3
_MOST = 16


class _Layer(Protocol):
    @property
    def digest(self) -> str: ...

    @property
    def size(self) -> int: ...


class Places:
    """Notes in the cache about layers of more than a megabyte, the latest place first."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def of(self, host: str, digest: str) -> list[str]:
        """Return the repositories of a registry that had the layer."""
        return [name for other, name in self._load(digest) if other == host]

    def of_all(self, layers: Iterable[_Layer]) -> list[tuple[str, str]]:
        """Return the registries and repositories of theirs that had all of the layers.

        Small layers are left out of account, as nothing is noted of them.
        """
        noted = [self._load(each.digest) for each in layers if each.size >= _WORTH_NOTING]
        first, *others = noted or [[]]
        return [place for place in first if all(place in each for each in others)]

    def add(self, host: str, repository: str, layers: Iterable[_Layer]) -> None:
        """Note that a repository of a registry has these layers."""
        place = (host, repository)
        for layer in {layer.digest: layer for layer in layers}.values():
            if layer.size < _WORTH_NOTING:
                continue
            known = self._load(layer.digest)
            if place not in known:
                same = [each for each in known if each[0] == host][: _MOST_OF_HOST - 1]
                others = [each for each in known if each[0] != host]
                self._cache.set_note(_KIND, _key(layer.digest), [place, *same, *others][:_MOST])

    def _load(self, digest: str) -> list[tuple[str, str]]:
        note = self._cache.note(_KIND, _key(digest))
        try:
            return msgspec.json.decode(note, type=list[tuple[str, str]]) if note else []
        except msgspec.DecodeError:  # damaged: as good as none
            return []


def _key(digest: str) -> str:
    return digest.removeprefix("sha256:")
