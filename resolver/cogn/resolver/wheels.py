"""The wheels of an image: the model's environment and, resolved apart from it, the server's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from packaging.utils import canonicalize_name

from cogn.lockfiles import Wheel
from cogn.report import ProblemsError
from cogn.resolver.errors import RequirementsError
from cogn.resolver.requirements import EXCLUDED, Requirements
from cogn.store.http import Fetcher
from cogn.store.runtime import RuntimeWheel
from cogn.store.uv import FoundWheel, Target, Uv
from cogn.store.wheels import note_wheels

__all__ = ["lock_model_wheels", "lock_server_wheels", "runtime_entry"]


async def lock_model_wheels(
    requirements: Requirements,
    target: Target,
    *,
    previous: Iterable[Wheel],
    uv: Uv,
    fetcher: Fetcher,
) -> tuple[Wheel, ...]:
    """Return the wheels of the model's environment, sorted by name.

    Versions of `previous` stay where they still fit. Raises `UvError` when there is no solution,
    `DownloadError` when a wheel's size cannot be known, and `RequirementsError` for a wheel whose
    hash is not among those that the requirements allow.
    """
    found = await uv.resolve(
        requirements.lines,
        target,
        constraints=requirements.constraints,
        excludes=EXCLUDED,
        preferences=_versions(previous),
    )
    if requirements.hashes is not None:
        ProblemsError.raise_if_any(list(_not_allowed(found, requirements.hashes)))
    return await _locked(found, fetcher)


async def lock_server_wheels(
    runtime: RuntimeWheel, target: Target, *, previous: Iterable[Wheel], uv: Uv, fetcher: Fetcher
) -> tuple[Wheel, ...]:
    """Return the wheels of the server's environment, `runtime` among them, sorted by name.

    Versions of `previous` stay where they still fit. Raises `UvError` and `DownloadError`.
    """
    found = await uv.resolve(
        runtime.requires, target, excludes=EXCLUDED, preferences=_versions(previous)
    )
    return _sorted([runtime_entry(runtime), *await _locked(found, fetcher)])


def runtime_entry(runtime: RuntimeWheel) -> Wheel:
    """Return the runtime's own wheel as a lock names it."""
    return Wheel(
        name=canonicalize_name(runtime.name),
        version=runtime.version,
        file=runtime.file,
        sha256=runtime.sha256,
        size=runtime.size,
    )


def _versions(wheels: Iterable[Wheel]) -> dict[str, str]:
    return {wheel.name: wheel.version for wheel in wheels}


async def _locked(found: Sequence[FoundWheel], fetcher: Fetcher) -> tuple[Wheel, ...]:
    sizes = await note_wheels(found, fetcher)
    return _sorted(
        Wheel(
            name=wheel.name,
            version=wheel.version,
            file=wheel.file,
            sha256=wheel.sha256,
            size=sizes[wheel.sha256],
        )
        for wheel in found
    )


def _sorted(wheels: Iterable[Wheel]) -> tuple[Wheel, ...]:
    """Return the wheels in the order in which a lock file holds them."""
    return tuple(sorted(wheels, key=lambda wheel: wheel.name))


def _not_allowed(
    found: Iterable[FoundWheel], hashes: dict[str, tuple[str, ...]]
) -> Iterable[RequirementsError]:
    for wheel in found:
        if wheel.name not in hashes:
            yield RequirementsError(
                f"the requirements name hashes, and none for {wheel.name} {wheel.version}",
                hint=f"add `{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}`",
            )
        elif wheel.sha256 not in hashes[wheel.name]:
            yield RequirementsError(
                f"no hash in the requirements is that of {wheel.file}: it is sha256:{wheel.sha256}"
            )
