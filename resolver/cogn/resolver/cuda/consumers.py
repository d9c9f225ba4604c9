"""Packages that use a CUDA which they do not bring: that of the system, or of other wheels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cogn.lockfiles import Wheel
from cogn.resolver.cuda.brought import Brought
from cogn.resolver.matrix import FrameworkRange, Matrix

__all__ = ["Consumer", "unserved"]


@dataclass(frozen=True, slots=True)
class Consumer:
    """A package that lacks CUDA."""

    name: str
    version: str
    row: FrameworkRange

    @property
    def advice(self) -> str | None:
        """The requirement that makes the package bring CUDA, if there is one."""
        return f"{self.name}[{self.row.extra}]" if self.row.extra else None


def unserved(
    wheels: Sequence[Wheel], brought: Brought | None, matrix: Matrix
) -> Iterator[Consumer]:
    """Yield the packages among `wheels` that use the GPU only with a CUDA that no wheel brings.

    Another package's serves as well, if it is of the same major version and, where that counts,
    has cuDNN.
    """
    for wheel in wheels:
        rows = [row for row in matrix.frameworks.get(wheel.name, ()) if row.has(wheel.version)]
        using = [row for row in rows if row.needs_system_cuda or row.extra]
        if using and not any(brought is not None and _serves(brought, row) for row in using):
            yield Consumer(wheel.name, wheel.version, using[0])


def _serves(brought: Brought, row: FrameworkRange) -> bool:
    if brought.major != int(row.cuda.partition(".")[0]):
        return False
    if row.cudnn is None:
        return True
    wanted = row.cudnn.partition(".")[0]
    return brought.cudnn is not None and brought.cudnn.partition(".")[0] == wanted
