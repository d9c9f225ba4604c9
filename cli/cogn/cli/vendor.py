"""`cogn vendor`: a directory of all that the lock names, for machines without a network."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import anyio

from cogn import layers, resolver
from cogn.cli.locked import chosen_platforms, fresh_lock
from cogn.cli.offline import network
from cogn.cli.output import make_reporter, readable_size, say
from cogn.lockfiles import ImageBase, Lock, Platform
from cogn.report import Reporter
from cogn.resolver import Brief
from cogn.store import Cache
from cogn.store.http import Fetcher
from cogn.store.vendor import VendorDirectory

__all__ = ["run"]


def run(target: Path, directory: Path, *, platforms: Sequence[Platform], offline: bool) -> None:
    """Write what the images of the project of `directory` are made from into `target`.

    What is there and right stays, and so does what the lock does not name.
    """
    with make_reporter() as reporter, network(offline=offline):
        root, brief = resolver.read_brief(directory, Cache(), reporter)
        lock = fresh_lock(root, brief)
        files = layers.locked_files(lock, chosen_platforms(lock, platforms))
        vendor = VendorDirectory.made(target, layers.vendor_paths(files), reporter)
        hashes = [file.sha256 for file in files]
        written = anyio.run(_fill, vendor, hashes, lock, root, brief, offline, reporter)
    size = readable_size(vendor.size())
    new = f"{written} of them new" if written else "all of them were there"
    others = f"; others that stay there: {count}" if (count := vendor.others()) else ""
    say(f"`{target}` has the {len(files)} files that the lock names, {size}, {new}{others}")


async def _fill(
    vendor: VendorDirectory,
    hashes: Sequence[str],
    lock: Lock,
    root: Path,
    brief: Brief,
    offline: bool,
    reporter: Reporter,
) -> int:
    """Bring what is missing into the directory; return how many files that was."""
    missing = await vendor.missing(hashes)
    async with AsyncExitStack() as stack:
        fetcher = await stack.enter_async_context(Fetcher.open(Cache(), reporter, offline=offline))
        inputs = layers.LockedInputs(
            lock, root, fetcher, brief.mirrors, origins=brief.origins, reporter=reporter
        )
        bases = None
        if images := _image_bases(lock):
            from cogn.store.registry import Registries, RegistryConfiguration  # late: few have one

            configuration = RegistryConfiguration.load(brief.registries)
            registries = await stack.enter_async_context(
                Registries.open(configuration, reporter, offline=offline)
            )
            bases = layers.BaseImages(images, registries, fetcher.cache, reporter)
        await layers.fetch_locked(lock, set(missing), inputs, bases, fetcher.cache)
    await vendor.put(missing, fetcher.cache)
    return len(missing)


def _image_bases(lock: Lock) -> list[ImageBase]:
    bases = (environment.base for environment in lock.environments.values())
    return [base for base in bases if isinstance(base, ImageBase)]
