"""The wheels of an image: the model's environment and, resolved apart from it, the server's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from packaging.utils import canonicalize_name

from cogn.lockfiles import BuiltFrom, Wheel
from cogn.report import ProblemsError, Reporter
from cogn.resolver.errors import RequirementsError
from cogn.resolver.requirements import EXCLUDED, Requirements
from cogn.store.errors import UvError
from cogn.store.found import Found, FoundSource, FoundWheel
from cogn.store.http import Fetcher
from cogn.store.logins import Logins
from cogn.store.runtime import RuntimeWheel
from cogn.store.uv import BUILD_HINT, Target, Uv, fits, select
from cogn.store.wheels import note_wheels

__all__ = ["lock_model_wheels", "lock_server_wheels", "lock_tool_wheels", "runtime_entry"]

_TOOLS = ("pip",)
"""What people use in a running image, where Python comes without."""


async def lock_model_wheels(
    requirements: Requirements,
    target: Target,
    *,
    previous: Iterable[Wheel],
    uv: Uv,
    fetcher: Fetcher,
    reporter: Reporter | None = None,
    torch_backend: str | None = None,
) -> tuple[Wheel, ...]:
    """Return the wheels of the model's environment, sorted by name.

    `uv` knows the requirements' own places. Versions of `previous` stay where they still fit; what
    was built stays as long as its source does. Raises `UvError` when there is no solution,
    `DownloadError` when a wheel's size cannot be known, `BuildError`, and `RequirementsError` for
    what must not be built and for a wheel whose hash is not among those that the requirements
    allow.
    """
    if requirements.locked is not None:
        found = select(requirements.locked.pylock, requirements.locked.directory, target)
    else:
        found = await uv.resolve_with_sources(
            requirements.lines,
            target,
            builds=requirements.builds,
            constraints=requirements.constraints,
            excludes=EXCLUDED,
            preferences=_versions(previous),
            torch_backend=torch_backend,
        )
    wheels = [each for each in found if isinstance(each, FoundWheel)]
    sources = [each for each in found if isinstance(each, FoundSource)]
    if sources and not requirements.builds.allowed:
        ProblemsError.raise_if_any([_not_built(each) for each in sources])
    if requirements.hashes is not None:
        ProblemsError.raise_if_any(list(_not_allowed(found, requirements.hashes)))
    if not sources:
        return await _locked(wheels, fetcher, uv.logins)
    from cogn.store.building import build_wheel  # late: few projects have something to build

    built = []
    kept = {(wheel.name, wheel.built): wheel for wheel in previous if wheel.built}
    for source in sources:  # one after the other: builds take all that there is
        origin = BuiltFrom(
            file=None if source.commit else source.file,
            sha256=None if source.commit else source.sha256,
            commit=source.commit,
        )
        wheel = kept.get((source.name, origin))
        if wheel is None or not fits(wheel.file, target):
            one = await build_wheel(
                source, target, uv=uv, fetcher=fetcher, reporter=reporter or Reporter()
            )
            wheel = Wheel(
                name=one.name,
                version=one.version,
                file=one.file,
                sha256=one.sha256,
                size=one.size,
                built=origin,
            )
        built.append(wheel)
    return _sorted([*await _locked(wheels, fetcher, uv.logins), *built])


async def lock_server_wheels(
    runtime: RuntimeWheel, target: Target, *, previous: Iterable[Wheel], uv: Uv, fetcher: Fetcher
) -> tuple[Wheel, ...]:
    """Return the wheels of the server's environment, `runtime` among them, sorted by name.

    Versions of `previous` stay where they still fit. Raises `UvError` and `DownloadError`.
    """
    found = await uv.resolve(
        runtime.requires, target, excludes=EXCLUDED, preferences=_versions(previous)
    )
    return _sorted([runtime_entry(runtime), *await _locked(found, fetcher, uv.logins)])


async def lock_tool_wheels(
    target: Target, *, previous: Iterable[Wheel], uv: Uv, fetcher: Fetcher
) -> tuple[Wheel, ...]:
    """Return the wheels of the tools beside the model; raises as `lock_server_wheels` does."""
    try:
        found = await uv.resolve(_TOOLS, target, preferences=_versions(previous))
    except UvError as error:
        error.message += "\n  an image gets pip for who works in it, apart from the model"
        raise
    return await _locked(found, fetcher, uv.logins)


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


async def _locked(
    found: Sequence[FoundWheel], fetcher: Fetcher, logins: Logins
) -> tuple[Wheel, ...]:
    sizes = await note_wheels(found, fetcher, logins)
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


def _not_built(source: FoundSource) -> RequirementsError:
    return RequirementsError(
        f"`{source.name}` has no wheel that fits, only {source}, which is not built",
        hint=BUILD_HINT,
    )


def _not_allowed(
    found: Iterable[Found], hashes: dict[str, tuple[str, ...]]
) -> Iterator[RequirementsError]:
    for each in found:
        if isinstance(each, FoundSource) and each.commit is not None:
            continue  # which is a hash of its own
        if each.name not in hashes:
            version = f"=={each.version}" if isinstance(each, FoundWheel) else ""
            yield RequirementsError(
                f"the requirements name hashes, and none for {each.name}"
                + version.replace("==", " "),
                hint=f"add `{each.name}{version} --hash=sha256:{each.sha256}`",
            )
        elif each.sha256 not in hashes[each.name]:
            yield RequirementsError(
                f"no hash in the requirements is that of {each.file}: it is sha256:{each.sha256}"
            )
