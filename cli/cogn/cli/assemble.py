"""`cogn assemble`: from the lock and the source to an image in its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
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

__all__ = ["run"]

_DEFAULT = Path(".cogn", "image")


def run(
    directory: Path,
    *,
    output: str | None,
    push: str | None,
    frozen: bool,
    compression: Compression,
    jobs: int | None,
) -> str:
    """Assemble the project of `directory`; return the digest of the image's manifest.

    The image goes to `output`, or to the registry of `push`, or both; without either to an OCI
    layout in the project. New seals are written into the lock unless `frozen`, which makes them
    an error.
    """
    local = None if output is None else LocalDestination.parse(output)
    reference = None if push is None else Reference.parse(push)
    with make_reporter() as reporter:
        root, brief = resolver.read_brief(directory, Cache(), reporter)
        if local is None and reference is None:
            local = LocalDestination("oci", root / _DEFAULT, DEFAULT_TAG)
        lock = _fresh_lock(root, brief)
        image = anyio.run(
            partial(
                _assemble,
                root,
                brief,
                lock,
                local=local,
                reference=reference,
                frozen=frozen,
                compression=compression,
                jobs=jobs,
                reporter=reporter,
            )
        )
    size = sum(layer.size for layer in image.layers)
    for place in (local, reference):
        if place is not None:
            say(f"Assembled {place}: {len(image.layers)} layers, {size / 1e6:.1f} MB")
    return image.digest


async def _assemble(
    root: Path,
    brief: Brief,
    lock: Lock,
    *,
    local: LocalDestination | None,
    reference: Reference | None,
    frozen: bool,
    compression: Compression,
    jobs: int | None,
    reporter: Reporter,
) -> layers.Image:
    cache = Cache()
    async with AsyncExitStack() as stack:
        fetcher = await stack.enter_async_context(Fetcher.open(cache, reporter))
        builder = Builder(
            lock.seals,
            inputs=layers.LockedInputs(lock, root, fetcher, brief.mirrors),
            cache=cache,
            reporter=reporter,
            compression=compression,
            jobs=jobs,
        )
        destinations: list[Destination] = []
        if local is not None:
            destinations.append(_local(local, root, brief))
        if reference is not None:
            repository = await stack.enter_async_context(Repository.open(reference, reporter))
            destinations.append(layers.RegistryDestination(repository))
        assembled = await layers.assemble(lock, _model(root, brief), builder)
        _seal(root, lock, assembled.lock, frozen=frozen)
        await _publish(assembled, builder, destinations)
    return assembled.image


async def _publish(
    assembled: layers.Assembled, builder: Builder, destinations: Sequence[Destination]
) -> None:
    for destination in destinations:
        await layers.publish(assembled.image, assembled.names, builder, destination)


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
