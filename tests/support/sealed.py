"""A project that needs no network: its lock seals layers that are in a cache already.

The layers of its environment are any bytes: who only moves them does not look into them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from cogn import lockfiles, resolver
from cogn.layers.plan import plan
from cogn.layers.recipe import digest_of
from cogn.lockfiles import LOCK_NAME, Seal
from cogn.store import Cache
from support.locks import AMD64, HEX, make_lock

_SIZES = (8_100_000, 1_200_000, 60_000, 5_000)
"""Of the layers: base, Python, server, system files. The first is large enough for a shared home,
the second for a note of where it is."""


@dataclass(frozen=True)
class SealedProject:
    """A project in `root`, with a cache of its own."""

    root: Path
    cache: Path
    before: bytes
    """The lock that the project comes with. Something in it is out of date and goes."""
    after: bytes
    """The lock that assembling makes of that one."""
    layers: tuple[str, ...]
    """The digests of the environment's layers."""


def sealed_project(directory: Path, *, gpu: bool = False, **environment: object) -> SealedProject:
    """Make a project and its cache in `directory`.

    The environment has what `make_environment` takes.
    """
    root, cache = directory / "project", Cache(directory / "cache")
    root.mkdir(parents=True)
    build = "{gpu: true, python_version: '3.13'}" if gpu else "{python_version: '3.13'}"
    (root / "cog.yaml").write_text(f"build: {build}\nrun: run.py:run\n")
    (root / "cogn.toml").write_text("bytecode = false\n")
    (root / "run.py").write_text("def run() -> str:\n    return ''\n")
    fields = {"wheels": (), "seals": ()} | environment
    inputs = resolver.Project.load(root).inputs_digest
    lock = make_lock(inputs=inputs, bytecode=False, **fields)
    chance = random.Random(0)
    seals = []
    for recipe, size in zip(plan(lock, AMD64), _SIZES, strict=True):
        digest = f"sha256:{cache.add(chance.randbytes(size))}"
        seals.append(
            Seal(
                layer=recipe.name,
                recipe=digest_of(recipe),
                diff_id=digest,
                digest=digest,
                size=size,
            )
        )
    old = Seal(
        layer="old",
        recipe=f"sha256:{HEX}",
        diff_id=f"sha256:{HEX}",
        digest=f"sha256:{HEX}",
        size=1,
    )
    before, after = (
        lockfiles.dumps(lock.sealed({AMD64: tuple(each)})).encode()
        for each in ([*seals, old], seals)
    )
    (root / LOCK_NAME).write_bytes(before)
    return SealedProject(root, cache.root, before, after, tuple(seal.digest for seal in seals))
