"""What the image brings for the GPU, once it is known which wheels it has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packaging.version import Version

from cogn.lockfiles import Cuda, Platform, TorchIndex, Wheel
from cogn.report import Reporter
from cogn.resolver.cuda.brought import Brought, TorchBuild, brought_by, torch_build
from cogn.resolver.cuda.consumers import Consumer, unserved
from cogn.resolver.cuda.gpu_request import GpuRequest
from cogn.resolver.errors import CudaError
from cogn.resolver.matrix import Matrix

__all__ = ["CudaChoice", "SystemCuda", "choose_cuda"]


@dataclass(frozen=True, slots=True)
class SystemCuda:
    """The CUDA that has to be in the base, because no wheel brings it."""

    version: str
    """``11.8`` or ``12.6.3``."""
    cudnn: int | bool
    """The major version of cuDNN, or whether any has to be there."""
    reason: str
    advice: str | None = None
    """The requirement that would bring it as wheels, if there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CudaChoice:
    """What was chosen for the GPU; nothing at all for a model that uses none."""

    wheels: Cuda | None = None
    """What the wheels bring, if they do."""
    system: SystemCuda | None = None
    """What the base has to bring, if it has to."""
    torch: TorchBuild | None = None


def choose_cuda(
    wheels: Sequence[Wheel],
    request: GpuRequest,
    platform: Platform,
    matrix: Matrix,
    reporter: Reporter,
    *,
    index: TorchIndex | None = None,
) -> CudaChoice:
    """Return who brings CUDA for `wheels` and which; `index` is where PyTorch's come from.

    Wheels are preferred: an image that has CUDA twice is larger, and may load a mixture of both.
    Raises `CudaError` when a package would never see the GPU, when `build.cuda` asks for another
    major version than the wheels bring, and for a CUDA that the matrix does not know. Warns of
    CUDA in an image that is not to use it.
    """
    torch = torch_build(wheels, platform, matrix)
    brought = brought_by(wheels, torch)
    if not request.gpu:
        if brought:
            _warn_of_waste(wheels, request, reporter)
        return CudaChoice(torch=torch)
    if torch is not None and torch.is_cpu and not request.brings_own:
        raise CudaError(
            f"the model asks for a GPU, and torch {_version(wheels, 'torch')} is built without "
            f"CUDA for {platform}",
            where=request.where("build.gpu"),
            hint="require another build of it, or write `gpu: false`",
        )
    lacking = list(unserved(wheels, brought, matrix))
    _check_never(lacking, request)
    if brought is not None:
        _check_asked(brought, request, reporter)
    cuda = None if brought is None else _from_wheels(brought, torch, index, matrix, request)
    return CudaChoice(wheels=cuda, system=_system(lacking, brought, request, matrix), torch=torch)


def _from_wheels(
    brought: Brought,
    torch: TorchBuild | None,
    index: TorchIndex | None,
    matrix: Matrix,
    request: GpuRequest,
) -> Cuda:
    driver = matrix.drivers.get(brought.major)
    if driver is None:
        raise CudaError(
            f"{brought.by[0]}: cogn does not know CUDA {brought.major} yet",
            where=request.where("build.gpu"),
            hint="use a newer cogn, or an older version of it",
        )
    reasons = [f"the wheels bring it: {' and '.join(brought.by)}"]
    if torch is not None and torch.cuda is not None:
        where = f"PyTorch's index `{index.backend}`" if index else "the usual index"
        why = f": {index.reason}" if index else ""
        reasons.append(f"torch {torch.version} comes from {where}{why}")
    reasons.append(f"any CUDA {brought.major} runs with driver {driver} or newer")
    return Cuda(
        version=brought.version,
        cudnn=brought.cudnn,
        driver=driver,
        capabilities=torch.capabilities if torch else (),
        provider="wheels",
        reasons=tuple(reasons),
    )


def _system(
    lacking: Sequence[Consumer], brought: Brought | None, request: GpuRequest, matrix: Matrix
) -> SystemCuda | None:
    """Return what the base has to have for the packages that no wheel serves."""
    needing = [consumer for consumer in lacking if consumer.row.needs_system_cuda]
    if needing:
        consumer = needing[0]
        version = request.cuda or consumer.row.cuda
        cudnn = request.cudnn or consumer.row.cudnn
        reason = f"{consumer.name} {consumer.version} uses the system's CUDA {consumer.row.cuda}"
        if consumer.advice:
            reason += f"; `{consumer.advice}` would bring it in a smaller image"
        return SystemCuda(version, _major(cudnn) if cudnn else False, reason, consumer.advice)
    if brought is not None:
        return None
    if request.cuda is not None:
        reason = f"`build.cuda` asks for {request.cuda}, and no wheel brings CUDA"
        return SystemCuda(request.cuda, _major(request.cudnn) if request.cudnn else True, reason)
    major = None if request.cudnn is None else _major(request.cudnn)
    fitting = [each for each in matrix.nvidia.images if major in {None, each.cudnn_major}]
    newest = max((each.cuda for each in fitting or matrix.nvidia.images), key=Version)
    return SystemCuda(
        newest.rpartition(".")[0],
        True if major is None else major,
        "`build.gpu` asks for a GPU, and no wheel brings CUDA: the newest that there is",
    )


def _check_never(lacking: Iterable[Consumer], request: GpuRequest) -> None:
    """Refuse packages that use a GPU with an extra alone, whatever the base has."""
    never = [each for each in lacking if not each.row.needs_system_cuda]
    if not never:
        return
    names = " and ".join(f"{each.name} {each.version}" for each in never)
    advice = " or ".join(f"`{each.advice}`" for each in never)
    raise CudaError(
        f"the model asks for a GPU, and {names} would not use it",
        where=request.where("build.gpu"),
        hint=f"require {advice}",
    )


def _check_asked(brought: Brought, request: GpuRequest, reporter: Reporter) -> None:
    """Compare what is brought with what cog.yaml asks for."""
    if request.cuda is not None:
        asked = Version(request.cuda)
        if asked.major != brought.major:
            raise CudaError(
                f"`build.cuda` asks for CUDA {request.cuda}, and the packages bring "
                f"{brought.version}: {' and '.join(brought.by)}",
                where=request.where("build.cuda"),
                hint="remove the key, or require versions that are built for that CUDA",
            )
        if asked.release[:2] != Version(brought.version).release[:2]:
            reporter.warn(
                f"{request.where('build.cuda')}: the packages bring CUDA {brought.version}, which "
                f"is used instead of {request.cuda}"
            )
    if (
        request.cudnn is not None
        and brought.cudnn is not None
        and _major(request.cudnn) != _major(brought.cudnn)
    ):
        reporter.warn(
            f"{request.where('build.cudnn')}: the packages bring cuDNN {brought.cudnn}, which is "
            f"used instead of {request.cudnn}"
        )


def _warn_of_waste(wheels: Iterable[Wheel], request: GpuRequest, reporter: Reporter) -> None:
    size = sum(wheel.size for wheel in wheels if wheel.name.startswith(("nvidia-", "cuda-")))
    reporter.warn(
        f"{request.where('build.gpu')}: the model uses no GPU, and its packages bring "
        f"{size / 1e9:.1f} GB of CUDA",
        hint="write `gpu: true`, or require packages without CUDA; for PyTorch, write "
        '`torch_backend = "cpu"` in cogn.toml',
    )


def _version(wheels: Iterable[Wheel], name: str) -> str:
    return next(wheel.version for wheel in wheels if wheel.name == name)


def _major(version: str) -> int:
    return int(version.partition(".")[0])
