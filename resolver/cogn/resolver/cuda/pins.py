"""Whether pinned frameworks have wheels for the wanted Python, before uv is asked.

uv would say so too, but not which Python or which release to take instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from packaging.version import Version

from cogn.lockfiles import Platform
from cogn.report import CognError
from cogn.resolver.cuda.gpu_request import GpuRequest
from cogn.resolver.cuda.torch_index import pythons_of
from cogn.resolver.errors import CudaError
from cogn.resolver.matrix import Matrix

__all__ = ["check_pins", "fitting_python"]


def check_pins(request: GpuRequest, platform: Platform, matrix: Matrix) -> list[CognError]:
    """Return an error for each pinned framework that has no wheel for the wanted Python."""
    problems: list[CognError] = []
    for name, version, pythons in _pinned(request, platform, matrix):
        if request.python not in pythons:
            problems.append(
                CudaError(
                    f"{name} {version} has no wheel for Python {request.python}: {_span(pythons)}",
                    where=request.where("build.python_version"),
                    hint=_hint(name, request.python, pythons, platform, matrix),
                )
            )
    return problems


def fitting_python(
    request: GpuRequest, platform: Platform, matrix: Matrix
) -> tuple[str, str] | None:
    """Return the Python that all pinned frameworks have wheels for, and why it is that one.

    None when they have wheels for the wanted one, or there is none that they agree on.
    """
    pinned = list(_pinned(request, platform, matrix))
    lacking = [
        f"{name} {version}" for name, version, pythons in pinned if request.python not in pythons
    ]
    possible = {build.version.rpartition(".")[0] for build in matrix.pythons}
    agreed = [each for each in possible if all(each in pythons for _, _, pythons in pinned)]
    if not lacking or not agreed:
        return None
    reason = f"{' and '.join(lacking)} has no wheel for {request.python}, Cog's default"
    return _nearest(agreed, request.python), reason


def _pinned(
    request: GpuRequest, platform: Platform, matrix: Matrix
) -> Iterator[tuple[str, str, Sequence[str]]]:
    pin = request.pin("torch")
    if pin and (release := matrix.torch_release(pin.public)):
        yield "torch", pin.public, pythons_of(release, platform)
    for name in matrix.frameworks:
        pin = request.pin(name)
        row = matrix.framework(name, pin.public) if pin else None
        if row is not None and pin is not None and (pythons := row.pythons_of(pin.public)):
            yield name, str(pin), pythons


def _hint(
    name: str, python: str, pythons: Sequence[str], platform: Platform, matrix: Matrix
) -> str | None:
    possible = [each for each in pythons if matrix.python_build(each, platform)]
    hint = f'set `python_version: "{_nearest(possible, python)}"`' if possible else ""
    if name == "torch":
        fitting = [
            release.version for release in matrix.torch if python in pythons_of(release, platform)
        ]
        if fitting:
            newest = max(fitting, key=Version)
            other = f"require torch {newest}, the newest for Python {python}"
            return f"{hint}, or {other}" if hint else other
    return hint or None


def _nearest(pythons: Sequence[str], wanted: str) -> str:
    """Return the newest one before the wanted one, or else the oldest one after it."""
    older = [each for each in pythons if Version(each) < Version(wanted)]
    return max(older, key=Version) if older else min(pythons, key=Version)


def _span(pythons: Sequence[str]) -> str:
    ordered = sorted(pythons, key=Version)
    if len(ordered) == 1:
        return f"it has {ordered[0]}"
    return f"it has {ordered[0]} to {ordered[-1]}"
