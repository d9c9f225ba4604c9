"""What the model's wheels bring for the GPU: read from their names and versions.

NVIDIA publishes CUDA as wheels: ``cuda-toolkit`` carries the toolkit's version, as does, per major
version, ``nvidia-cuda-runtime`` (from 13 on) or ``nvidia-cuda-runtime-cu12``; cuDNN is
``nvidia-cudnn-cu13``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from packaging.version import Version

from cogn.lockfiles import Cuda, Wheel
from cogn.report import Reporter, Where
from cogn.resolver.errors import CudaError
from cogn.resolver.matrix import Matrix

__all__ = ["cuda_of"]

_TOOLKIT = re.compile(r"cuda-toolkit|nvidia-cuda-runtime(-cu\d+)?")
_CUDNN = re.compile(r"nvidia-cudnn-cu\d+")


def cuda_of(
    wheels: Sequence[Wheel], *, gpu: bool, where: Where, matrix: Matrix, reporter: Reporter
) -> Cuda | None:
    """Return what `wheels` bring for the GPU; None when the model does not use one.

    `where` is the place that asks for a GPU. Raises `CudaError` when no wheel brings CUDA, or one
    of a version that the matrix does not know. Warns of CUDA in an image that is not to use it.
    """
    toolkit = _newest(wheels, _TOOLKIT)
    if not gpu:
        if toolkit:
            _warn_of_waste(wheels, where, reporter)
        return None
    if toolkit is None:
        raise CudaError(
            "the model asks for a GPU, and none of its Python packages brings CUDA",
            where=where,
            hint=_advice(wheels, matrix),
        )
    version = Version(toolkit.version)
    driver = matrix.drivers.get(version.major)
    if driver is None:
        msg = f"{toolkit.name} {toolkit.version}: cogn does not know CUDA {version.major} yet"
        raise CudaError(msg, where=where, hint="use a newer cogn, or an older version of it")
    cudnn = _newest(wheels, _CUDNN)
    bringers = " and ".join(f"{wheel.name} {wheel.version}" for wheel in (toolkit, cudnn) if wheel)
    return Cuda(
        version=f"{version.major}.{version.minor}",
        cudnn=cudnn.version if cudnn else None,
        driver=driver,
        provider="wheels",
        reason=f"the wheels bring it: {bringers}",
    )


def _newest(wheels: Iterable[Wheel], name: re.Pattern[str]) -> Wheel | None:
    # Of two CUDA majors the newer one decides: its driver runs the older one's programs too.
    matching = (wheel for wheel in wheels if name.fullmatch(wheel.name))
    return max(matching, key=lambda wheel: Version(wheel.version), default=None)


def _advice(wheels: Iterable[Wheel], matrix: Matrix) -> str:
    names = [wheel.name for wheel in wheels]
    extras = [matrix.extras[name] for name in names if name in matrix.extras]
    if extras:
        return f"write {' or '.join(f'`{extra}`' for extra in extras)}, which brings it"
    return (
        "require a package whose wheels bring CUDA for the image's platform, such as `torch`, or "
        "write `gpu: false`"
    )


def _warn_of_waste(wheels: Iterable[Wheel], where: Where, reporter: Reporter) -> None:
    size = sum(wheel.size for wheel in wheels if wheel.name.startswith(("nvidia-", "cuda-")))
    reporter.warn(
        f"{where}: the model uses no GPU, and its packages bring {size / 1e9:.1f} GB of CUDA",
        hint=(
            "write `gpu: true`; or, for PyTorch without CUDA, write "
            '`[pip]` and `torch-backend = "cpu"` in a `uv.toml` beside cog.yaml'
        ),
    )
