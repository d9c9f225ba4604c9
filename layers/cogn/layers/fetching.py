"""Bringing files that a lock names into the cache without making an image of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeVar

import anyio.to_thread

from cogn.layers.base import BaseImages, base_layers
from cogn.layers.inputs import LockedInputs
from cogn.layers.named import base_files
from cogn.lockfiles import Deb, ImageBase, Lock, StandalonePython, Wheel
from cogn.store import Cache
from cogn.store.tasks import later, task_group

__all__ = ["fetch_locked"]

_Entry = TypeVar("_Entry", Deb, Wheel, StandalonePython)


async def fetch_locked(
    lock: Lock,
    hashes: Collection[str],
    inputs: LockedInputs,
    bases: BaseImages | None,
    cache: Cache,
) -> None:
    """Fetch those files of `lock` whose hashes are named, unless the cache has them undamaged.

    `bases` has the images among its bases, if there are any. Raises what fetching raises.
    """
    async with task_group() as tasks:
        for sha256 in hashes:
            tasks.start_soon(anyio.to_thread.run_sync, cache.check, sha256)

    def wanted(entries: Iterable[_Entry]) -> list[_Entry]:
        return [each for each in dict.fromkeys(entries) if each.sha256 in hashes]

    environments = lock.environments.values()
    debs = wanted(deb for each in environments for deb in each.fetched_debs)
    wheels = wanted(wheel for each in environments for wheel in each.fetched_wheels)
    interpreters = [each.python for each in environments]
    pythons = wanted(each for each in interpreters if isinstance(each, StandalonePython))
    every = [each.base for each in environments]
    images = {each.manifest: each for each in every if isinstance(each, ImageBase)}.values()
    blobs = [file for base in images for file in base_files(base) if file.sha256 in hashes]
    inputs.require([*debs, *wheels, *pythons], blobs)
    await inputs.fetch(debs, wheels, pythons)
    if bases is None:
        return
    for base in images:
        async with task_group() as tasks:
            for name, layer in base_layers(base):
                blob = bases.blob(name, layer)
                if blob is not None and _hex(layer.digest) in hashes:
                    later(tasks, blob.file)
        if _hex(base.rootfs) in hashes:
            await bases.rootfs([base])


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")
