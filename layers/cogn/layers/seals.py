"""Seals: what the lock says that came out of the recipes of its environments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import get_args

from cogn.layers.errors import SealError
from cogn.layers.layer import Compression, Layer
from cogn.layers.recipe import Recipe, digest_of
from cogn.lockfiles import LOCK_NAME, Seal

__all__ = ["require_sealed", "seals_of"]


def seals_of(
    recipes: Sequence[Recipe],
    layers: Sequence[Layer],
    before: Iterable[Seal],
    compression: Compression,
) -> tuple[Seal, ...]:
    """Return the seals that the lock keeps for these layers, in the order of the image.

    Of the seals `before`, those stay that the same recipes have in another compression.
    """
    now = tuple(
        Seal(
            layer=recipe.name,
            recipe=digest_of(recipe, compression),
            diff_id=layer.diff_id,
            digest=layer.digest,
            size=layer.size,
        )
        for recipe, layer in zip(recipes, layers, strict=True)
    )
    sealed = {seal.recipe for seal in now}
    valid = {digest_of(recipe, other) for recipe in recipes for other in get_args(Compression)}
    return now + tuple(s for s in before if s.recipe in valid and s.recipe not in sealed)


def require_sealed(
    recipes: Iterable[Recipe], seals: Iterable[Seal], compression: Compression
) -> None:
    """Raise `SealError` unless each recipe is sealed in this compression."""
    sealed = {seal.recipe for seal in seals}
    missing = [each.name for each in recipes if digest_of(each, compression) not in sealed]
    if missing:
        raise SealError(
            f"`{LOCK_NAME}` does not seal the layers of this image: {', '.join(missing)}",
            hint="run `cogn assemble` without `--frozen` and commit the lock",
        )
