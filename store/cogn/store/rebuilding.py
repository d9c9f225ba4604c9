"""A locked wheel that was built from source, built again where nobody has it any more."""

from __future__ import annotations

from cogn.report import Reporter
from cogn.store.building import build_wheel
from cogn.store.errors import BuildError
from cogn.store.found import FoundSource, subdirectory_in
from cogn.store.http import Fetcher
from cogn.store.references import GitReference
from cogn.store.targets import Target
from cogn.store.uv import Uv
from cogn.store.wheels import LockedWheel, place_of

__all__ = ["rebuild"]

_HINT = (
    "bring the wheel that is locked: push from the machine that has it, so that its layer is in "
    "the registry, or carry it here with `cogn vendor`; or run `cogn lock --upgrade={}`, to lock "
    "what comes out now"
)


async def rebuild(
    wheel: LockedWheel, target: Target, *, uv: Uv, fetcher: Fetcher, reporter: Reporter
) -> None:
    """Bring a locked wheel into the cache by building it from the source that the lock names.

    Raises `BuildError` when the source is another one now or another wheel comes out, and what
    `build_wheel` raises.
    """
    source = await _source(wheel, target, uv)
    built = await build_wheel(source, target, uv=uv, fetcher=fetcher, reporter=reporter)
    if built.sha256 != wheel.sha256:
        raise BuildError(
            f"{wheel.file} was built from {source} again and came out otherwise: "
            f"expected sha256 {wheel.sha256}, got {built.sha256}",
            hint=_HINT.format(wheel.name),
        )


async def _source(wheel: LockedWheel, target: Target, uv: Uv) -> FoundSource:
    """Return the source that the lock names, with the place where it is now."""
    locked = wheel.built
    if locked is None:
        raise BuildError(f"{wheel.file} was not built")
    if locked.commit is not None:
        named = map(GitReference.parse, uv.origins.references.get(wheel.name, ()))
        for reference in named:
            if reference is not None and reference.commit == locked.commit:
                return reference.source(wheel.name)
        raise BuildError(
            f"{wheel.file} was built from commit {locked.commit}, which the requirements "
            "do not name",
            hint="run `cogn lock`",
        )
    file, sha256 = locked.file or "", locked.sha256 or ""
    if place := place_of(wheel.name, file, sha256, uv):
        url, _, fragment = place.partition("#")
        return FoundSource(
            wheel.name, url, file=file, sha256=sha256, subdirectory=subdirectory_in(fragment)
        )
    now = await uv.locate_source(wheel.name, wheel.version, target)
    if now.sha256 != locked.sha256:
        raise BuildError(
            f"the {now} that uv finds has another SHA-256 hash than the one that {wheel.file} was "
            "built from",
            hint=_HINT.format(wheel.name),
        )
    return now
