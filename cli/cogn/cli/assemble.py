"""`cogn assemble`: from the lock and the source to an image in its place."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from cogn import layers, lockfiles, resolver
from cogn.cli.output import make_reporter, say
from cogn.layers import Builder, Compression, Destination, LocalDestination, OciArchive, OciLayout
from cogn.layers.destination import DEFAULT_TAG
from cogn.lockfiles import LOCK_NAME, Lock
from cogn.report import Reporter
from cogn.resolver import Brief
from cogn.store import Cache, replace_file
from cogn.store.http import Fetcher
from cogn.store.registry import Reference, Repository
from cogn.store.runtime import runtime_wheel

__all__ = ["Options", "run"]

_DEFAULT = Path(".cogn", "image")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asks for."""

    output: str | None
    push: str | None
    frozen: bool
    compression: Compression
    jobs: int | None


def run(directory: Path, options: Options) -> str:
    """Assemble the project of `directory`; return the digest of the image's manifest.

    The image goes to the output, or to the registry, or both; without either to an OCI layout in
    the project. New seals are written into the lock unless it is frozen, which makes them an error.
    """
    local = None if options.output is None else LocalDestination.parse(options.output)
    reference = None if options.push is None else Reference.parse(options.push)
    with make_reporter() as reporter:
        root, brief = resolver.read_brief(directory, Cache(), reporter)
        if local is None and reference is None:
            local = LocalDestination("oci", root / _DEFAULT, DEFAULT_TAG)
        lock = _fresh_lock(root, brief)
        work = _Work(root, brief, lock, options, reporter)
        image = anyio.run(work.assemble, local, reference)
    size = sum(layer.size for layer in image.layers)
    for place in (local, reference):
        if place is not None:
            say(f"Assembled {place}: {len(image.layers)} layers, {size / 1e6:.1f} MB")
    return image.digest


@dataclass(frozen=True, slots=True)
class _Work:
    root: Path
    brief: Brief
    lock: Lock
    options: Options
    reporter: Reporter

    async def assemble(
        self, local: LocalDestination | None, reference: Reference | None
    ) -> layers.Image:
        async with AsyncExitStack() as stack:
            builder = await stack.enter_async_context(self._builder())
            destinations: list[Destination] = []
            if local is not None:
                destinations.append(_local(local, self.root, self.brief))
            if reference is not None:
                opened = Repository.open(reference, self.reporter)
                repository = await stack.enter_async_context(opened)
                destinations.append(layers.RegistryDestination(repository))
            model = _model(self.root, self.brief)
            assembled = await layers.assemble(self.lock, model, builder)
            _seal(self.root, self.lock, assembled.lock, frozen=self.options.frozen)
            for destination in destinations:
                await layers.publish(assembled.image, assembled.names, builder, destination)
        return assembled.image

    @asynccontextmanager
    async def _builder(self) -> AsyncIterator[Builder]:
        cache = Cache()
        async with Fetcher.open(cache, self.reporter) as fetcher:
            yield Builder(
                self.lock.seals,
                inputs=layers.LockedInputs(self.lock, self.root, fetcher, self.brief.mirrors),
                cache=cache,
                reporter=self.reporter,
                compression=self.options.compression,
                jobs=self.options.jobs,
            )


def _fresh_lock(root: Path, brief: Brief) -> Lock:
    """Return the project's lock; raises `StaleLockError` when it answers other inputs."""
    lock = lockfiles.read(root / LOCK_NAME)
    if brief.is_stale(lock):
        raise layers.StaleLockError(
            f"`{LOCK_NAME}` is out of date: cog.yaml, cogn.toml or the requirements have changed",
            hint="run `cogn lock`, look at the difference and commit it",
        )
    return lock


def _seal(root: Path, old: Lock, new: Lock, *, frozen: bool) -> None:
    if new == old:
        return
    if frozen:
        raise layers.SealError(
            f"`{LOCK_NAME}` does not seal the layers of this image",
            hint="run `cogn assemble` without `--frozen` and commit the lock",
        )
    replace_file(root / LOCK_NAME, lockfiles.dumps(new).encode())


def _local(destination: LocalDestination, root: Path, brief: Brief) -> Destination:
    if destination.kind == "oci-archive":
        return OciArchive(destination.path, _image_name(root, brief))
    return OciLayout(destination.path, destination.tag)


def _image_name(root: Path, brief: Brief) -> str:
    """Return the name that cog.yaml gives the image, else one made of the directory's."""
    name = brief.repository
    if name is None:
        made = re.sub(r"[^a-z0-9]+", "-", root.name.lower()).strip("-")
        name = made or "model"
    return name if ":" in name.rpartition("/")[2] else f"{name}:{DEFAULT_TAG}"


def _model(root: Path, brief: Brief) -> layers.Model:
    return layers.Model(
        source=root,
        reference=brief.predictor,
        gpu=brief.gpu,
        environment=brief.environment,
        config=brief.config,
        version=runtime_wheel().version,
    )
