"""matrix.toml: facts about CUDA, GPUs, frameworks, Pythons and distributions.

They are data, so that a new release is a change of some lines; ``docs/matrix.md`` says where each
table comes from and how it grows.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from cogn.lockfiles import Platform
from cogn.resolver.matrix.distributions import DistributionRelease
from cogn.resolver.matrix.frameworks import FrameworkRange, TorchRelease, Variant, torch_releases
from cogn.resolver.matrix.hardware import CudnnRange, Gpu, gpu_key, gpus, runs_on
from cogn.resolver.matrix.images import CudaImages, Flavour, NvidiaImages
from cogn.resolver.matrix.pythons import PythonBuild, newest_build, python_builds
from cogn.resolver.matrix.words import Row

__all__ = [
    "CudaImages",
    "CudnnRange",
    "DistributionRelease",
    "Flavour",
    "FrameworkRange",
    "Gpu",
    "Matrix",
    "NvidiaImages",
    "PythonBuild",
    "TorchRelease",
    "Variant",
    "load_matrix",
]


class Matrix(Row):
    """The content of matrix.toml."""

    drivers: dict[int, str]
    """The oldest Linux driver by major version of the CUDA toolkit."""
    toolkits: dict[str, str]
    """The Linux driver that a release of the CUDA toolkit was shipped with: ``13.2.1``."""
    cudnn: tuple[CudnnRange, ...]
    gpus: Annotated[dict[str, Gpu], BeforeValidator(gpus)]
    """By the name of a product."""
    torch: Annotated[tuple[TorchRelease, ...], BeforeValidator(torch_releases)]
    """The releases of torch, the oldest first."""
    frameworks: dict[str, tuple[FrameworkRange, ...]]
    """The other packages that use CUDA, each with its releases, the newest first."""
    nvidia: NvidiaImages
    releases: dict[str, DistributionRelease]
    """By code name."""
    pythons: Annotated[tuple[PythonBuild, ...], BeforeValidator(python_builds)]
    """Builds of CPython for any distribution, the newest first."""

    @cached_property
    def extras(self) -> dict[str, str]:
        """By package, the requirement that makes its newest releases bring CUDA."""
        return {
            package: f"{package}[{ranges[0].extra}]"
            for package, ranges in self.frameworks.items()
            if ranges[0].extra
        }

    def torch_release(self, version: str) -> TorchRelease | None:
        """Return a release of torch, whose version has no local part; None for an unknown one."""
        return next((release for release in self.torch if release.version == version), None)

    def framework(self, package: str, version: str) -> FrameworkRange | None:
        """Return what is known of a package's release, for the first of several extras."""
        ranges = self.frameworks.get(package, ())
        return next((each for each in ranges if each.has(version)), None)

    def gpu(self, name: str) -> Gpu | None:
        """Return a product by its name, however it is spelt; None for an unknown one."""
        return self._gpus_by_key.get(gpu_key(name))

    @cached_property
    def _gpus_by_key(self) -> dict[str, Gpu]:
        return {gpu_key(name): gpu for name, gpu in self.gpus.items()}

    @staticmethod
    def runs_on(capabilities: Iterable[str], capability: str) -> bool:
        """Whether code built for `capabilities` runs on a GPU of one."""
        return runs_on(capabilities, capability)

    def python_build(self, wanted: str, platform: Platform) -> PythonBuild | None:
        """Return the newest build of Python ``3.12`` or ``3.12.11``; None when there is none."""
        return newest_build(self.pythons, wanted, platform)


@cache
def load_matrix() -> Matrix:
    """Return the facts: packaged beside this module, or at the root of the repository."""
    packaged = Path(__file__).with_name("matrix.toml")
    path = packaged if packaged.is_file() else Path(__file__).parents[4] / "matrix.toml"
    return Matrix.model_validate(tomllib.loads(path.read_text("utf-8")))
