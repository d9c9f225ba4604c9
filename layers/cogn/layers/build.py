"""From recipes to layers: each is known from the lock's seal or the cache, or is built."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

import anyio
import anyio.to_thread
from anyio.abc import ByteReceiveStream

from cogn.layers.base import BaseImages
from cogn.layers.destination import LayerBlob
from cogn.layers.entry import Entry
from cogn.layers.errors import ChangedFileError, LayerError, SealError
from cogn.layers.facts import Facts
from cogn.layers.fingerprint import FingerprintMemo
from cogn.layers.layer import Compression, Layer, write
from cogn.layers.needs import Needs
from cogn.layers.notes import LayerNotes
from cogn.layers.pipe import Writer, piped
from cogn.layers.recipe import (
    FilesRecipe,
    FixupRecipe,
    PackagesRecipe,
    Recipe,
    WheelsRecipe,
    digest_of,
)
from cogn.lockfiles import Deb, Seal, StandalonePython, Wheel
from cogn.report import Reporter
from cogn.store import Cache
from cogn.store.registry import blob_of_file
from cogn.store.tasks import task_group

__all__ = ["Builder", "Inputs", "Offer", "nobody"]

_Contents = Callable[[Recipe], AbstractContextManager[tuple[Iterable[Entry], Facts]]]

Offer = Callable[[str, Layer], None]
"""Is told of a layer and its name as soon as it is known; must return at once."""


def nobody(name: str, layer: Layer) -> None:
    """Be the `Offer` that nobody takes."""


class Inputs(Protocol):
    """Gives the files that layers are made from, fetching what is not here."""

    async def fetch(
        self,
        debs: Sequence[Deb],
        wheels: Sequence[Wheel],
        pythons: Sequence[StandalonePython],
    ) -> Mapping[str, Path]:
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
        bases: BaseImages | None = None,
    ) -> None:
        """Build at most `jobs` layers at once: as many as there are processors, unless told.

        `bases` has the layers of images that are bases, which are never built.
        """
        self._sealed = {
            seal.recipe: Layer(
                diff_id=seal.diff_id,
                digest=seal.digest,
                size=seal.size,
                compression=compression,
            )
            for seal in seals
        }
        self.compression = compression
        self.cache = cache
        self.reporter = reporter
        self._inputs = inputs
        self._notes = LayerNotes(cache)
        self._bases = bases
        self._recipes: dict[str, Recipe] = {}
        self.jobs = jobs or os.cpu_count() or 1
        self._building = anyio.CapacityLimiter(self.jobs)

    async def layers(self, recipes: Sequence[Recipe], offer: Offer = nobody) -> list[Layer]:
        """Return the layers of `recipes`, building those that nobody knows yet.

        Each is offered with its name as soon as it is known.
        """
        # By digest, as the images for several platforms have layers in common.
        by_digest = {self._digest(recipe): recipe for recipe in recipes}
        known = {digest: self._known(digest) for digest in by_digest}

        def found(recipe: Recipe, layer: Layer) -> None:
            self._recipes[layer.digest] = recipe
            offer(recipe.name, layer)

        for digest, layer in known.items():
            if layer is not None:
                found(by_digest[digest], layer)
        built = await self._build([by_digest[d] for d, layer in known.items() if not layer], found)
        if built:
            self._check_overlaps(recipes)
        return [known[digest] or built[digest] for digest in map(self._digest, recipes)]

    def known(self, recipe: Recipe) -> Layer | None:
        """Return the layer of a recipe that is sealed or was built before, else None."""
        return self._known(self._digest(recipe))

    def cached(self, name: str, layer: Layer) -> LayerBlob | None:
        """Return the layer's blob, if it is in the cache, or a base's, which is never made.

        The stream of a cached one tells when it is damaged.
        """
        of_base = self._bases.blob(name, layer) if self._bases else None
        path = self.cache.find(_hex(layer.digest))
        if path is None:
            return of_base
        stored = blob_of_file(path, layer.digest, layer.size, name)

        async def file() -> Path:
            return path

        blob = _layer_blob(name, layer, stored.open, file)
        return blob if of_base is None else replace(blob, sources=of_base.sources)

    def discard(self, layer: Layer) -> None:
        """Remove the layer's blob from the cache, where it turned out to be damaged."""
        self.cache.discard(_hex(layer.digest))

    @asynccontextmanager
    async def making(self, layers: Sequence[Layer]) -> AsyncIterator[list[LayerBlob]]:
        """Give the blobs of `layers`, each made when somebody asks for it, within the block.

        A stream passes on the bytes as they are made and keeps none. Both it and the file raise
        `SealError` when these are not what was sealed, `LayerError` when they are not what came
        out before.
        """
        recipes = {layer.digest: self._recipes[layer.digest] for layer in layers}
        async with self._opened(list(recipes.values())) as contents, task_group() as tasks:

            def blob(layer: Layer) -> LayerBlob:
                recipe = recipes[layer.digest]

                async def stream() -> ByteReceiveStream:
                    write = partial(self._write_verified, recipe, contents)
                    return piped(write, tasks, self._building)

                async def file() -> Path:
                    await self._make(recipe, contents)
                    return self.cache.path(_hex(layer.digest))

                return _layer_blob(recipe.name, layer, stream, file)

            yield [blob(layer) for layer in layers]

    def _digest(self, recipe: Recipe) -> str:
        return digest_of(recipe, self.compression)

    def _known(self, digest: str) -> Layer | None:
        return self._sealed.get(digest) or self._notes.find(digest)

    async def _build(
        self, recipes: Sequence[Recipe], built: Callable[[Recipe, Layer], None]
    ) -> dict[str, Layer]:
        layers: dict[str, Layer] = {}

        async def build(recipe: Recipe) -> None:
            layers[self._digest(recipe)] = layer = await self._make(recipe, contents)
            built(recipe, layer)

        if recipes:
            async with self._opened(recipes) as contents, task_group() as tasks:
                for recipe in recipes:
                    if not isinstance(recipe, PackagesRecipe | FixupRecipe):
                        tasks.start_soon(build, recipe)
                async with task_group() as packages:
                    for recipe in recipes:
                        if isinstance(recipe, PackagesRecipe):
                            packages.start_soon(build, recipe)
                # What completes a system goes by what its packages have, which is noted by now.
                for recipe in recipes:
                    if isinstance(recipe, FixupRecipe):
                        tasks.start_soon(build, recipe)
        return layers

    @asynccontextmanager
    async def _opened(self, recipes: Sequence[Recipe]) -> AsyncIterator[_Contents]:
        """Give what opens the contents of each recipe, once their inputs are here."""
        fetched = [recipe for recipe in recipes if not isinstance(recipe, FilesRecipe)]
        if not fetched:
            yield _own_contents
            return
        from cogn.layers.bytecode import open_bytecode  # late: often there is nothing to fetch
        from cogn.layers.contents import contents

        needs = Needs.of(fetched)
        await self._check_inputs(needs.files)
        files = dict(await self._inputs.fetch(needs.debs, needs.wheels, needs.pythons))
        if self._bases is not None:
            files |= await self._bases.rootfs(needs.images)
        with open_bytecode(files, self.cache, self.jobs) as bytecode:

            def opened(
                recipe: Recipe,
            ) -> AbstractContextManager[tuple[Iterable[Entry], Facts]]:
                if isinstance(recipe, FilesRecipe):
                    return _own_contents(recipe)
                return contents(recipe, files, bytecode, self.cache)

            yield opened

    async def _make(self, recipe: Recipe, contents: _Contents) -> Layer:
        """Return the layer of a recipe, whose blob is in the cache afterwards."""
        digest = self._digest(recipe)
        waiting = self.reporter.task("Waiting for another cogn to build", recipe.name)
        async with self.cache.lock(_hex(digest), waiting):
            layer = self._notes.find(digest)
            if layer is None or not self.cache.find(_hex(layer.digest)):
                layer = await anyio.to_thread.run_sync(
                    self._write_cached, recipe, contents, limiter=self._building
                )
            self._verify(recipe, layer)
            self._notes.keep(digest, layer)
        return layer

    def _check_overlaps(self, recipes: Iterable[Recipe]) -> None:
        together: dict[tuple[str, str], list[Wheel]] = {}
        for recipe in recipes:
            if isinstance(recipe, WheelsRecipe):
                place = recipe.architecture, recipe.prefix
                together.setdefault(place, []).extend(recipe.wheels)
        for wheels in together.values():
            from cogn.layers.overlap import check_overlaps

            check_overlaps(wheels, self.cache)

    async def _check_inputs(self, inputs: Iterable[Deb | Wheel | StandalonePython]) -> None:
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
                hint="restore the lock if it was edited; else this cogn, or an input, is not that "
                "of the machine that sealed it: assemble with `-o oci:DIR` on both and compare",
            )
        noted = self._notes.find(digest)
        if noted is not None and noted != layer and noted.digest in self._recipes:
            self._notes.keep(digest, layer)
            raise LayerError(
                f"the layer `{recipe.name}` came out as {layer.digest}, "
                f"but as {noted.digest} when it was made before",
                hint="run again to take the new one",
            )

    def _write_cached(self, recipe: Recipe, contents: _Contents) -> Layer:
        with (
            self.reporter.task("Building", recipe.name) as task,
            self.cache.blob(what=recipe.name) as blob,
        ):

            def out(data: bytes) -> None:
                blob.write(data)
                task.advance(len(data))

            diff_id = self._write(recipe, contents, out)
        return Layer(
            diff_id=diff_id,
            digest=f"sha256:{blob.sha256}",
            size=blob.size,
            compression=self.compression,
        )

    def _write_verified(self, recipe: Recipe, contents: _Contents, out: Writer) -> None:
        """Write the layer of a recipe and raise an error when it is not what it has to be."""
        digest, size = hashlib.sha256(), 0

        def counted(data: bytes) -> None:
            nonlocal size
            digest.update(data)
            size += len(data)
            out(data)

        diff_id = self._write(recipe, contents, counted)
        layer = Layer(
            diff_id=diff_id,
            digest=f"sha256:{digest.hexdigest()}",
            size=size,
            compression=self.compression,
        )
        self._verify(recipe, layer)

    def _write(self, recipe: Recipe, contents: _Contents, out: Writer) -> str:
        """Write the layer of a recipe; return its diff ID."""
        try:
            with contents(recipe) as (entries, facts):
                return write(entries, facts, out, self.compression)
        except ChangedFileError:
            FingerprintMemo.forget_all(self.cache)
            raise


def _own_contents(recipe: Recipe) -> AbstractContextManager[tuple[Iterable[Entry], Facts]]:
    assert isinstance(recipe, FilesRecipe)
    return nullcontext((recipe.entries, Facts()))


def _layer_blob(
    name: str,
    layer: Layer,
    stream: Callable[[], Awaitable[ByteReceiveStream]],
    file: Callable[[], Awaitable[Path]],
) -> LayerBlob:
    return LayerBlob(
        digest=layer.digest, size=layer.size, name=name, open=stream, layer=layer, file=file
    )


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")
