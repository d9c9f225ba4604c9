"""The CUDA that wheels bring: read from their names and versions.

NVIDIA publishes CUDA as wheels: ``cuda-toolkit`` carries the toolkit's version, as does, per major
version, ``nvidia-cuda-runtime`` (from 13 on) or ``nvidia-cuda-runtime-cu12``; cuDNN is
``nvidia-cudnn-cu13``. Builds of PyTorch's own indexes say in their versions which CUDA they are for
(``2.0.1+cu118``); older ones have it inside themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packaging.version import Version

from cogn.lockfiles import Platform, Wheel
from cogn.resolver.cuda.torch_index import capabilities_of, default_cuda
from cogn.resolver.matrix import Matrix

__all__ = ["Brought", "TorchBuild", "brought_by", "torch_build"]

_TOOLKIT = re.compile(r"cuda-toolkit|nvidia-cuda-runtime(-cu\d+)?")
_CUDNN = re.compile(r"nvidia-cudnn-cu\d+")
_LOCAL = re.compile(r"cu(\d{2})(\d)")


@dataclass(frozen=True, slots=True)
class TorchBuild:
    """The torch among some wheels, as far as the matrix knows it."""

    version: str
    """Without the part that names the build."""
    cuda: str | None
    """Major and minor version; None for a build without CUDA, or one that nobody knows."""
    capabilities: tuple[str, ...]
    """What it has code for; none when that is not known."""
    cudnn: str | None
    is_cpu: bool = False
    """Whether it is known to have no CUDA."""

    @property
    def name(self) -> str:
        """What people call it: ``torch 2.9.1 for CUDA 12.8``."""
        return (
            f"torch {self.version} for CUDA {self.cuda}" if self.cuda else f"torch {self.version}"
        )


@dataclass(frozen=True, slots=True)
class Brought:
    """What wheels bring of CUDA."""

    version: str
    """Major and minor version."""
    cudnn: str | None
    by: tuple[str, ...]
    """The packages and their versions."""

    @property
    def major(self) -> int:
        """The major version of CUDA."""
        return int(self.version.partition(".")[0])


def brought_by(wheels: Sequence[Wheel], torch: TorchBuild | None) -> Brought | None:
    """Return the CUDA that `wheels` bring, `torch` among them; None for none.

    Of two major versions the newer one counts: its driver runs the older one's programs too.
    """
    toolkit = _newest(wheels, _TOOLKIT)
    cudnn = _newest(wheels, _CUDNN)
    if toolkit is None and torch is not None and torch.cuda is not None:
        return Brought(torch.cuda, torch.cudnn, (f"torch {torch.version}",))
    if toolkit is None:
        return None
    release = Version(toolkit.version).release
    return Brought(
        f"{release[0]}.{release[1] if len(release) > 1 else 0}",
        cudnn.version if cudnn else None,
        tuple(f"{wheel.name} {wheel.version}" for wheel in (toolkit, cudnn) if wheel),
    )


def torch_build(wheels: Iterable[Wheel], platform: Platform, matrix: Matrix) -> TorchBuild | None:
    """Return the build of torch among `wheels`; None when there is none."""
    wheel = next((each for each in wheels if each.name == "torch"), None)
    if wheel is None:
        return None
    version = Version(wheel.version)
    release = matrix.torch_release(version.public)
    if version.local is not None:
        build = version.local
    elif release is not None and (cuda := default_cuda(release, platform)) is not None:
        build = "cu" + cuda.replace(".", "")
    else:
        build = "unknown" if release is None else "cpu"
    match = _LOCAL.fullmatch(build)
    if match is None:
        return TorchBuild(version.public, None, (), None, is_cpu=build == "cpu")
    variant = release.variants.get(build) if release else None
    return TorchBuild(
        version.public,
        f"{match[1]}.{match[2]}",
        capabilities_of(variant, platform) if variant else (),
        variant.cudnn if variant else None,
    )


def _newest(wheels: Iterable[Wheel], name: re.Pattern[str]) -> Wheel | None:
    matching = (wheel for wheel in wheels if name.fullmatch(wheel.name))
    return max(matching, key=lambda wheel: Version(wheel.version), default=None)
