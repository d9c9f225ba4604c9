"""The frameworks that use CUDA: what their releases were built for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from cogn.resolver.matrix.words import Capability, Minor, Row, Specifier, Words

__all__ = ["FrameworkRange", "TorchRelease", "Variant", "torch_releases"]

Capabilities = Annotated[tuple[Capability, ...], Words]
Minors = Annotated[tuple[Minor, ...], Words]


class Variant(Row):
    """A build of a torch release, as one of PyTorch's indexes has it."""

    cuda: Minor | None = None
    """The toolkit that it was built with; None for a CPU."""
    capabilities: Capabilities = ()
    """What its code for amd64 runs on."""
    capabilities_arm64: Capabilities = ()
    """As for amd64; none when there is no such build, or none is known."""
    cudnn: str | None = None
    """The version of cuDNN that its wheels bring; None where it is not known."""


class TorchRelease(Row):
    """A release of torch."""

    version: str
    released: str
    """The day, as ISO 8601 writes it."""
    pythons: Minors
    """The CPythons that the default index has wheels for on amd64; free-threaded ones do not
    count."""
    pythons_arm64: Minors
    """As for amd64."""
    torchvision: Specifier
    """The versions of torchvision that go with it."""
    torchaudio: Specifier
    """The versions of torchaudio that go with it."""
    default_cuda: Minor | None = None
    """The CUDA of the default index's wheel for amd64; None for a wheel without CUDA."""
    default_cuda_arm64: Minor | None = None
    """As for amd64."""
    variants: dict[str, Variant]
    """By backend, which is both uv's name for it and that of PyTorch's index: ``cpu``,
    ``cu126``."""


class FrameworkRange(Row):
    """Releases of a package that use CUDA in the same way."""

    versions: Specifier
    pythons: Minors
    """The CPythons that some of these releases have wheels for."""
    cuda: str
    """The CUDA that they were built for: ``12.5``, or ``12`` for any of that major version."""
    cudnn: str | None = None
    """The cuDNN, in the same way; None when they need none."""
    extra: str | None = None
    """The extra that makes the package bring CUDA as wheels; None when there is none, or it brings
    CUDA by itself."""
    needs_system_cuda: bool = False
    """Whether the package uses CUDA of the system, unless wheels bring it."""
    newest: str | None = None
    """The last release that is known, where the range has no end."""
    source: str
    """What the row was read from."""

    def pythons_of(self, version: str) -> tuple[str, ...]:
        """Return the CPythons of a release of the range; none when it is newer than all known."""
        known = self.newest is None or Version(version) <= Version(self.newest)
        return self.pythons if known else ()

    def has(self, version: str) -> bool:
        """Whether a release is one of these; pre-releases count."""
        return SpecifierSet(self.versions).contains(version, prereleases=True)


def torch_releases(value: object) -> object:
    """Return the file's two tables of torch as one: each release with the variants of its series.

    ``releases`` has what differs between all releases; ``builds`` has, by series such as ``2.14``,
    what its releases have in common.
    """
    if not isinstance(value, Mapping) or value.keys() != {"releases", "builds"}:
        raise ValueError("`torch` has the tables `releases` and `builds`")
    return [_release(version, row, value["builds"]) for version, row in value["releases"].items()]


def _release(version: str, row: Mapping[str, Any], builds: Mapping[str, Any]) -> dict[str, Any]:
    series = version.rpartition(".")[0]
    if series not in builds:
        raise ValueError(f"`torch.builds` lacks the series {series}")
    shared = dict(builds[series])
    defaults = {
        key: shared.pop(key) for key in ("default-cuda", "default-cuda-arm64") if key in shared
    }
    variants = {backend: {"cuda": _cuda(backend)} | build for backend, build in shared.items()}
    own = {"pythons-arm64": row.get("pythons")} | dict(row)
    return {"version": version, "variants": variants} | defaults | own


def _cuda(backend: str) -> str | None:
    # The last digit is the minor version: cu118, cu132.
    return f"{backend[2:-1]}.{backend[-1]}" if backend.startswith("cu") else None
