"""What to do when a registry has lost an image: its layers may be elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

from cogn.store.cache import Cache
from cogn.store.images.source import LockedLayer
from cogn.store.places import Places
from cogn.store.registry import Reference

__all__ = ["still_there"]


def still_there(reference: Reference, layers: Iterable[LockedLayer], cache: Cache) -> str:
    """Return the advice for one who has a lock with `layers`, and whose image is gone.

    It names a repository that took the layers with an earlier push from this machine, if one did.
    """
    name = f"{reference.host}/{reference.repository}"
    table = f'`[registries."{name}"]` and `mirrors = ["%s"]` in cogn.toml'
    known = Places(cache).of_all(layers)
    if known:
        place = "/".join(known[0])
        return (
            f"`{place}` has its layers since an earlier push: a push to that registry finds them "
            f"there; else write {table % place}"
        )
    return (
        "a repository with an image on this base still has its layers: push to its registry, or "
        f"write {table % 'registry.example.com/that/image'}"
    )
