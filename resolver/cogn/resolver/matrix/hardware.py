"""GPUs: their names, what code runs on them, and what drives them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from packaging.specifiers import SpecifierSet

from cogn.resolver.matrix.words import Capability, Row, Specifier, Words, numbers

__all__ = ["CudnnRange", "Gpu", "gpu_key", "gpus", "runs_on"]

_NOISE = re.compile(
    r"nvidia|geforce|tesla|tensor|core|gpu|graphics|laptop|mobile|notebook|max|q|generation|"
    r"blackwell|server|workstation|edition|hgx|pcie?|sxm\d?|nvl|hbm\d?e?|\d+\s*gi?b?"
)
"""Words of a product's name that do not tell one capability from another."""
_PARTS = re.compile(r"[\s_()-]+(?!gi?b\b)")
"""What parts words; not a number from its unit."""
_PREFIX = re.compile(r"^[rg]tx(?=a?\d|pro)")
"""What people leave out before a number: ``4090``, ``A6000``, ``PRO 6000``."""


class Gpu(Row):
    """A product, or several that are alike in all of this."""

    capability: Capability
    """Its compute capability, such as ``8.6``."""
    architecture: str
    first_cuda: str
    """The oldest toolkit that makes code for it."""
    last_cuda: int | None = None
    """The last major version of the toolkit that makes code for it; None when there is no end."""
    first_driver: int | None = None
    """The first branch of drivers that drives it, where that is newer than its toolkit asks for."""
    last_driver: int | None = None
    """The last branch of drivers that drives it; None when there is no end."""


class CudnnRange(Row):
    """Versions of cuDNN with the same needs."""

    versions: Specifier
    cuda: Annotated[tuple[str, ...], Words]
    """The major versions of CUDA that it is made for."""
    capability: Capability
    """The smallest compute capability that it runs on."""

    def has(self, version: str) -> bool:
        """Whether a version is one of these."""
        return SpecifierSet(self.versions).contains(version)


def gpus(value: object) -> object:
    """Return the rows of the file, one for each capability, as one for each name."""
    if not isinstance(value, Mapping):
        return value
    found: dict[str, Any] = {}
    for capability, row in value.items():
        shared = {"capability": capability} | row
        names = shared.pop("names", ())
        if not names:
            raise ValueError(f"`gpus` names no product of {capability}")
        for name in names:
            if name in found:
                raise ValueError(f"the GPU {name} stands in two rows")
            found[name] = shared
    return found


def gpu_key(name: str) -> str:
    """Return what the spellings of a product's name have in common."""
    parts = _PARTS.split(name.casefold())
    return _PREFIX.sub("", "".join(part for part in parts if not _NOISE.fullmatch(part)), count=1)


def runs_on(capabilities: Iterable[str], capability: str) -> bool:
    """Whether code built for `capabilities` runs on a GPU of one.

    Code runs on GPUs of the same major version and of the same minor version or a higher one. What
    is marked ``+PTX`` also runs on all newer GPUs: the driver translates it when it is loaded.
    """
    wanted = numbers(capability)
    for each in capabilities:
        number, _, suffix = each.partition("+")
        built = numbers(number)
        if built <= wanted and (suffix or built[0] == wanted[0]):
            return True
    return False
