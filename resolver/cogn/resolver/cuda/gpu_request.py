"""What a project says about its GPU, and about the packages that may use it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from cogn.report import Where

__all__ = ["TORCH_PACKAGES", "GpuRequest", "Targets"]

TORCH_PACKAGES = ("torch", "torchvision", "torchaudio")
"""The packages that have a build for each version of CUDA, on an index of PyTorch's."""


@dataclass(frozen=True, slots=True)
class Targets:
    """The keys ``gpus`` and ``driver`` of cogn.toml."""

    gpus: tuple[str, ...] = ()
    """Names of products, as people write them; the matrix knows them all."""
    driver: str | None = None
    """The oldest driver that the machines have: ``535`` or ``535.104.05``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuRequest:
    """What decides the choice of CUDA for one platform, before anything is resolved."""

    gpu: bool
    cuda: str | None = None
    """``build.cuda`` as it is written: ``11.8`` or ``12.6.3``."""
    cudnn: str | None = None
    """``build.cudnn`` as it is written: ``9``."""
    python: str
    """The minor version, such as ``3.13``."""
    requirements: Sequence[Requirement] = ()
    """Those whose markers fit the platform."""
    names_indexes: bool = False
    """Whether the project says itself which indexes packages come from."""
    torch_backend: str | None = None
    """``torch_backend`` of cogn.toml: ``cu126``, ``cpu``, or ``default`` for the usual index."""
    brings_own: bool = False
    """Whether the base is an image that the project names, which may have CUDA and much else."""
    targets: Targets = field(default_factory=Targets)
    where: Callable[[str], Where] = Where
    """Where a key such as ``build.cuda`` stands."""

    def requirement(self, name: str) -> Requirement | None:
        """Return the first requirement of a package, by its normalized name."""
        named = (each for each in self.requirements if canonicalize_name(each.name) == name)
        return next(named, None)

    def specifiers(self, name: str) -> SpecifierSet:
        """Return the versions of a package that the requirements allow, all of them together."""
        specifiers = SpecifierSet()
        for each in self.requirements:
            if canonicalize_name(each.name) == name:
                specifiers &= each.specifier
        return specifiers

    def pin(self, name: str) -> Version | None:
        """Return the one version of a package that the requirements allow, if it is only one."""
        for specifier in self.specifiers(name):
            if specifier.operator in {"==", "==="} and not specifier.version.endswith(".*"):
                return Version(specifier.version)
        return None
