"""Which layer came out of which recipe on this machine, noted in the cache."""

from __future__ import annotations

import msgspec

from cogn.layers.layer import Layer
from cogn.store import Cache

__all__ = ["LayerNotes"]

_KIND = "layers"


class LayerNotes:
    """The layers that were made with one cache, by their recipes' digests.

    A note outlives its layer's blob: a registry may still have that.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def find(self, recipe: str) -> Layer | None:
        """Return the layer that the recipe with this digest gave, or None."""
        note = self._cache.note(_KIND, _hex(recipe))
        return None if note is None else _decoded(note)

    def keep(self, recipe: str, layer: Layer) -> None:
        """Note what the recipe with this digest gave."""
        self._cache.set_note(_KIND, _hex(recipe), layer)

    def blobs(self) -> frozenset[str]:
        """Return the SHA-256 hashes of the blobs of all noted layers."""
        layers = map(_decoded, self._cache.notes(_KIND))
        return frozenset(_hex(layer.digest) for layer in layers if layer)


def _decoded(note: bytes) -> Layer | None:
    try:
        return msgspec.json.decode(note, type=Layer)
    except msgspec.DecodeError:  # damaged: as good as none
        return None


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")
