"""Which index PyTorch's packages come from: it has one for each version of CUDA, and one for none.

The usual index has one build of each release alone, for a version of CUDA that moves with the
releases. uv knows PyTorch's indexes by the names of builds, ``cu126`` or ``cpu``; so do PyTorch's
own versions, after the plus sign (PEP 440, local version identifiers).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from packaging.version import Version

from cogn.lockfiles import Platform, TorchIndex
from cogn.resolver.cuda.gpu_request import TORCH_PACKAGES, GpuRequest
from cogn.resolver.errors import CudaError
from cogn.resolver.matrix import Matrix, TorchRelease, Variant

__all__ = ["capabilities_of", "choose_torch_index", "default_cuda", "pythons_of", "variants_of"]

_CPU = "cpu"
_DEFAULT = "default"
_BUILD = re.compile(r"cpu|cu\d{3}")


def choose_torch_index(
    request: GpuRequest, platform: Platform, matrix: Matrix
) -> TorchIndex | None:
    """Return the index to take PyTorch's packages from, with the reason; None for the usual one.

    What the project says comes first: cogn.toml, indexes of its own, a version such as
    ``2.6.0+cu126``. Without a GPU it is the index of builds without CUDA; with ``build.cuda``, the
    build for it or, as in Cog, the newest one for an older CUDA. Raises `CudaError` when there is
    no such build.
    """
    if request.torch_backend is not None:
        if request.torch_backend == _DEFAULT:
            return None
        return TorchIndex(backend=request.torch_backend, reason="cogn.toml names it")
    if request.names_indexes:
        return None
    if (asked := _asked_build(request, matrix)) is not None:
        return asked
    if not request.gpu:
        return TorchIndex(backend=_CPU, reason="the model uses no GPU")
    if request.cuda is not None:
        return _build_for(Version(request.cuda), request, platform, matrix)
    return _any_build(request, platform, matrix)


def default_cuda(release: TorchRelease, platform: Platform) -> str | None:
    """Return the CUDA that the usual index's build of a release is for; None for none."""
    return release.default_cuda_arm64 if platform == "linux/arm64" else release.default_cuda


def capabilities_of(variant: Variant, platform: Platform) -> tuple[str, ...]:
    """Return what a build has code for; none when that is not known."""
    is_arm = platform == "linux/arm64"
    return variant.capabilities_arm64 if is_arm else variant.capabilities


def variants_of(release: TorchRelease, platform: Platform) -> dict[str, str]:
    """Return the CUDA of each of a release's builds that use a GPU, by name, the newest first.

    For arm64 there are those that are known to have code for it.
    """
    found = {
        name: variant.cuda
        for name, variant in release.variants.items()
        if variant.cuda is not None and (platform == "linux/amd64" or variant.capabilities_arm64)
    }
    return dict(sorted(found.items(), key=lambda item: Version(item[1]), reverse=True))


def _asked_build(request: GpuRequest, matrix: Matrix) -> TorchIndex | None:
    """Return the index of the build that a pinned version names; raises `CudaError`."""
    for name in TORCH_PACKAGES:
        pin = request.pin(name)
        if pin is None or pin.local is None or not _BUILD.fullmatch(pin.local):
            continue
        release = matrix.torch_release(pin.public) if name == "torch" else None
        if release is not None and pin.local not in release.variants:
            raise CudaError(
                f"torch {pin.public} has no build `{pin.local}`",
                where=request.where("build.python_requirements"),
                hint=f"it has {_listed(release.variants)}",
            )
        return TorchIndex(backend=pin.local, reason=f"`{name}=={pin}` names it")
    return None


def _build_for(
    wanted: Version, request: GpuRequest, platform: Platform, matrix: Matrix
) -> TorchIndex | None:
    releases = list(_allowed(request, platform, matrix))
    if not releases:  # newer than the matrix: uv says whether there is such an index
        if request.requirement("torch") is None:
            return None
        return TorchIndex(
            backend=f"cu{wanted.major}{wanted.minor}",
            reason=f"`build.cuda` asks for CUDA {request.cuda}",
        )
    is_pinned = request.pin("torch") is not None
    for release in releases:
        for name, cuda in variants_of(release, platform).items():
            if _minor(cuda) == _minor(wanted):
                if is_pinned and _minor(default_cuda(release, platform)) == _minor(wanted):
                    return None
                return TorchIndex(backend=name, reason=f"`build.cuda` asks for CUDA {request.cuda}")
    newest = releases[0]
    builds = variants_of(newest, platform)
    for name, cuda in builds.items():
        if Version(cuda) < wanted:
            if is_pinned and cuda == default_cuda(newest, platform):
                return None
            return TorchIndex(
                backend=name,
                reason=f"torch {newest.version} has no build for CUDA {request.cuda}, which "
                f"`build.cuda` asks for, and {cuda} is the newest before it",
            )
    if request.requirement("torch") is None:
        return None  # it may not even be among the packages
    on = "" if platform == "linux/amd64" else f" on {platform}"
    raise CudaError(
        f"cogn knows no build of torch {newest.version} for CUDA {request.cuda} or older{on}",
        where=request.where("build.cuda"),
        hint=_ways_to(wanted, builds, platform, matrix, request.python),
    )


def _any_build(request: GpuRequest, platform: Platform, matrix: Matrix) -> TorchIndex | None:
    """Return another index where the usual one's build of a pinned release has no CUDA."""
    pin = request.pin("torch")
    release = matrix.torch_release(str(pin)) if pin else None
    if release is None or default_cuda(release, platform) is not None:
        return None
    for name, cuda in variants_of(release, platform).items():
        return TorchIndex(
            backend=name,
            reason=f"the usual build of torch {release.version} for {platform} has no CUDA, and "
            f"this one has {cuda}",
        )
    first = next((each for each in matrix.torch if default_cuda(each, platform)), None)
    raise CudaError(
        f"cogn knows no build of torch {release.version} with CUDA for {platform}",
        where=request.where("build.gpu"),
        hint=f"require torch {first.version} or newer" if first else None,
    )


def _allowed(request: GpuRequest, platform: Platform, matrix: Matrix) -> Iterator[TorchRelease]:
    """Yield the releases of torch that the requirements and Python allow, the newest first."""
    specifiers = request.specifiers("torch")
    for release in sorted(matrix.torch, key=lambda each: Version(each.version), reverse=True):
        if request.python in pythons_of(release, platform) and specifiers.contains(
            release.version, prereleases=True
        ):
            yield release


def pythons_of(release: TorchRelease, platform: Platform) -> Sequence[str]:
    """Return the minor versions of Python that a release has wheels for."""
    return release.pythons_arm64 if platform == "linux/arm64" else release.pythons


def _ways_to(
    wanted: Version, builds: Iterable[str], platform: Platform, matrix: Matrix, python: str
) -> str:
    hint = f"it has {_listed(builds)}"
    older = [
        release.version
        for release in sorted(matrix.torch, key=lambda each: Version(each.version))
        if python in pythons_of(release, platform)
        and any(_minor(cuda) == _minor(wanted) for cuda in variants_of(release, platform).values())
    ]
    name = f"cu{wanted.major}{wanted.minor}"
    return f"{hint}; torch {older[-1]} is the newest with `{name}`" if older else hint


def _minor(version: Version | str | None) -> tuple[int, ...]:
    """Return the major and minor part of a version of CUDA."""
    if version is None:
        return ()
    return (version if isinstance(version, Version) else Version(version)).release[:2]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
