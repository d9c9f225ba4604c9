"""Releases of Debian and Ubuntu, as far as the choice of a base depends on them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from cogn.resolver.matrix.words import Minor, Row

__all__ = ["DistributionRelease"]


class DistributionRelease(Row):
    """A release of a distribution."""

    distribution: Literal["debian", "ubuntu"]
    """As os-release(5) has it."""
    version: Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)?$")]
    """As images' tags have it: ``12``, ``24.04``."""
    glibc: Minor
    python: Minor
    """The version of its package ``python3``."""
    merged_usr: bool
    """Whether ``/bin``, ``/lib`` and ``/sbin`` of its images are links into ``/usr``."""
