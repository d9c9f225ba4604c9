"""Assembling without a network: what is missing is known before anything is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from cogn.layers.base import base_layers
from cogn.layers.build import Builder
from cogn.layers.inputs import LockedInputs
from cogn.layers.named import NamedFile, base_files
from cogn.layers.needs import Needs
from cogn.layers.plan import plan
from cogn.layers.recipe import FixupRecipe, PackagesRecipe
from cogn.lockfiles import Deb, Lock, Platform, StandalonePython, Wheel

__all__ = ["require_inputs"]


async def require_inputs(
    lock: Lock,
    platforms: Iterable[Platform],
    builder: Builder,
    inputs: LockedInputs,
    has: Callable[[str], Awaitable[bool]],
) -> None:
    """Raise `OfflineError`, which names all of it, when files for the images are not here.

    `has` tells of a blob whether the images' place has it.
    """
    entries: list[Deb | Wheel | StandalonePython] = []
    blobs: list[NamedFile] = []
    for platform in platforms:
        base = lock.environments[platform].base
        for (_, layer), file in zip(base_layers(base), base_files(base)[1:], strict=True):
            if not await has(layer.digest):
                blobs.append(file)
        for recipe in plan(lock, platform):
            known = builder.known(recipe)
            if known and (builder.cached(recipe.name, known) or await has(known.digest)):
                continue
            entries += Needs.of([recipe]).files
            if isinstance(recipe, PackagesRecipe | FixupRecipe):
                blobs += base_files(recipe.base)[:1]
    inputs.require(entries, blobs)
