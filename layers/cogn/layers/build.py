"""From recipes to layers: each is known from the lock's seal or the cache, or is built."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol, TypeVar, get_args

import anyio
import anyio.to_thread

from cogn.layers.entry import Entry
from cogn.layers.errors import ChangedFileError, LayerError, SealError
from cogn.layers.facts import debian_facts
from cogn.layers.fingerprint import FingerprintMemo
from cogn.layers.layer import Compression, Layer, write
from cogn.layers.notes import LayerNotes
from cogn.layers.recipe import BytecodeRecipe, FilesRecipe, Recipe, WheelsRecipe, digest_of
from cogn.lockfiles import Deb, Seal, Wheel
from cogn.report import Reporter
from cogn.store import Cache
from cogn.store.tasks import task_group

__all__ = ["Builder", "Inputs", "seals_of"]

_Input = TypeVar("_Input", Deb, Wheel)


class Inputs(Protocol):
    """Gives the files that layers are made from, fetching what is not here."""

    async def fetch(self, debs: Sequence[Deb], wheels: Sequence[Wheel]) -> Mapping[str, Path]:
        """Return the files by SHA-256."""
        ...


class Builder:
    """Makes layers, and keeps their blobs in the cache.

    What is sealed in the lock, or was built before, is not built again until somebody asks for its
    blob.
    """

    def __init__(
        self,
        seals: Iterable[Seal],
        *,
        inputs: Inputs,
        cache: Cache,
        reporter: Reporter,
        compression: Compression = "gzip",
        jobs: int | None = None,
    ) -> None:
        """Build at most `jobs` layers at once: as many as there are processors, unless told."""
        self._sealed = {
            seal.recipe: Layer(
                diff_id=seal.diff_id,
                digest=seal.digest,
                size=seal.size,
                compression=compression,
            )
            for seal in seals
        }
        self._compression = compression
        self.cache = cache
        self.reporter = reporter
        self._inputs = inputs
        self._notes = LayerNotes(cache)
        self._recipes: dict[str, Recipe] = {}
        self._jobs = jobs or os.cpu_count() or 1
        self._building = anyio.CapacityLimiter(self._jobs)

    async def layers(self, recipes: Sequence[Recipe]) -> list[Layer]:
        """Return the layers of `recipes`, building those that nobody knows yet."""
        known = {self._digest(recipe): self._known(recipe) for recipe in recipes}
        built = await self._build([r for r in recipes if known[self._digest(r)] is None])
        if built:
            self._check_overlaps(recipes)
        layers = []
        for recipe in recipes:
            layer = known[self._digest(recipe)] or built[self._digest(recipe)]
            self._recipes[layer.digest] = recipe
            layers.append(layer)
        return layers

    async def ensure(self, layers: Iterable[Layer]) -> None:
        """Make the blobs of `layers` that the cache lacks, all in parallel.

        Raises `SealError` for one that does not come out as it was sealed, and `LayerError` for
        one that does not come out as it did before.
        """
        missing = {
            layer.digest: self._recipes[layer.digest]
            for layer in layers
            if layer.digest in self._recipes and not self.cache.find(_hex(layer.digest))
        }
        await self._build(list(missing.values()))

    async def remake(self, layer: Layer) -> None:
        """Make the blob of `layer` again, in place of one that is damaged."""
        self.cache.discard(_hex(layer.digest))
        await self.ensure([layer])

    def blob(self, layer: Layer) -> Path:
        """Return the file with the compressed bytes of a layer that is in the cache."""
        return self.cache.path(_hex(layer.digest))

    def _digest(self, recipe: Recipe) -> str:
        return digest_of(recipe, self._compression)

    def _known(self, recipe: Recipe) -> Layer | None:
        digest = self._digest(recipe)
        return self._sealed.get(digest) or self._notes.find(digest)

    async def _build(self, recipes: Sequence[Recipe]) -> dict[str, Layer]:
        own = [recipe for recipe in recipes if isinstance(recipe, FilesRecipe)]
        fetched = [recipe for recipe in recipes if not isinstance(recipe, FilesRecipe)]
        built = await self._build_each({each: nullcontext(each.entries) for each in own})
        return built | await self._build_fetched(fetched) if fetched else built

    async def _build_fetched(self, recipes: Sequence[Recipe]) -> dict[str, Layer]:
        """Build what is not made of the project's own files."""
        from cogn.layers.bytecode import open_bytecode  # late: often there is nothing to fetch
        from cogn.layers.contents import contents

        debs = _unique(deb for recipe in recipes for deb in _debs(recipe))
        wheels = _unique(wheel for recipe in recipes for wheel in _wheels(recipe))
        await self._check_inputs([*debs, *wheels])
        files = await self._inputs.fetch(debs, wheels)
        with open_bytecode(files, self.cache, self._jobs) as bytecode:
            return await self._build_each(
                {each: contents(each, files, bytecode, self.cache) for each in recipes}
            )

    async def _build_each(
        self, contents: Mapping[Recipe, AbstractContextManager[Iterable[Entry]]]
    ) -> dict[str, Layer]:
        built: dict[str, Layer] = {}

        async def build(recipe: Recipe) -> None:
            digest = self._digest(recipe)
            waiting = self.reporter.task("Waiting for another cogn to build", recipe.name)
            async with self.cache.lock(_hex(digest), waiting):
                layer = self._notes.find(digest)
                if layer is None or not self.cache.find(_hex(layer.digest)):
                    layer = await self._threaded(recipe.name, contents[recipe], recipe.architecture)
                self._verify(recipe, layer)
                self._notes.keep(digest, layer)
            built[digest] = layer

        async with task_group() as tasks:
            for recipe in contents:
                tasks.start_soon(build, recipe)
        return built

    def _check_overlaps(self, recipes: Iterable[Recipe]) -> None:
        by_prefix: dict[str, list[Wheel]] = {}
        for recipe in recipes:
            if isinstance(recipe, WheelsRecipe):
                by_prefix.setdefault(recipe.prefix, []).extend(recipe.wheels)
        for wheels in by_prefix.values():
            from cogn.layers.overlap import check_overlaps

            check_overlaps(wheels, self.cache)

    async def _check_inputs(self, inputs: Iterable[Deb | Wheel]) -> None:
        """Remove damaged inputs from the cache, so that they are fetched again."""
        async with task_group() as tasks:
            for each in inputs:
                tasks.start_soon(anyio.to_thread.run_sync, self.cache.check, each.sha256)

    def _verify(self, recipe: Recipe, layer: Layer) -> None:
        """Raise an error unless `layer` is what the recipe gave before."""
        digest = self._digest(recipe)
        if (sealed := self._sealed.get(digest)) not in {None, layer}:
            raise SealError(
                f"the layer `{recipe.name}` came out as {layer.digest}, "
                f"but the lock sealed {sealed.digest}",
                hint="if the lock was edited, restore it; else run `cogn lock` and compare",
            )
        noted = self._notes.find(digest)
        if noted is not None and noted != layer and noted.digest in self._recipes:
            self._notes.keep(digest, layer)
            raise LayerError(
                f"the layer `{recipe.name}` came out as {layer.digest}, "
                f"but as {noted.digest} when it was made before",
                hint="run again to take the new one",
            )

    async def _threaded(
        self, name: str, entries: AbstractContextManager[Iterable[Entry]], architecture: str
    ) -> Layer:
        def run() -> Layer:
            with (
                self.reporter.task("Building", name) as task,
                self.cache.blob(what=name) as blob,
                entries as given,
            ):

                def out(data: bytes) -> None:
                    blob.write(data)
                    task.advance(len(data))

                diff_id = write(given, debian_facts(architecture), out, self._compression)
            return Layer(
                diff_id=diff_id,
                digest=f"sha256:{blob.sha256}",
                size=blob.size,
                compression=self._compression,
            )

        try:
            return await anyio.to_thread.run_sync(run, limiter=self._building)
        except ChangedFileError:
            FingerprintMemo.forget_all(self.cache)
            raise


def seals_of(
    recipes: Sequence[Recipe], layers: Sequence[Layer], before: Iterable[Seal]
) -> tuple[Seal, ...]:
    """Return the seals that the lock keeps for these layers, in the order of the image.

    Of the seals `before`, those stay that the same recipes have in another compression.
    """
    now = tuple(
        Seal(
            layer=recipe.name,
            recipe=digest_of(recipe, layer.compression),
            diff_id=layer.diff_id,
            digest=layer.digest,
            size=layer.size,
        )
        for recipe, layer in zip(recipes, layers, strict=True)
    )
    sealed = {seal.recipe for seal in now}
    valid = {digest_of(recipe, other) for recipe in recipes for other in get_args(Compression)}
    return now + tuple(s for s in before if s.recipe in valid and s.recipe not in sealed)


def _debs(recipe: Recipe) -> tuple[Deb, ...]:
    return () if isinstance(recipe, WheelsRecipe | FilesRecipe) else recipe.debs


def _wheels(recipe: Recipe) -> tuple[Wheel, ...]:
    return recipe.wheels if isinstance(recipe, WheelsRecipe | BytecodeRecipe) else ()


def _unique(inputs: Iterable[_Input]) -> list[_Input]:
    return list({each.sha256: each for each in inputs}.values())


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")
