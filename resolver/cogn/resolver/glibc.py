"""Whether wheels run with the C library of a base (PEP 600)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from packaging.utils import parse_wheel_filename

from cogn.lockfiles import Base, ImageBase, Wheel
from cogn.report import CognError, ProblemsError
from cogn.resolver.errors import RequirementsError

__all__ = ["check_glibc"]

_NEEDED = re.compile(r"manylinux_2_(\d+)_.+")
_OFFERED = re.compile(r"2\.(\d+)")


def check_glibc(wheels: Iterable[Wheel], base: Base) -> None:
    """Raise `RequirementsError`, or `ProblemsError`, for wheels that need a newer glibc.

    uv chooses wheels for a recent glibc, whatever the base's.
    """
    debs = base.debs + (base.interpreter if isinstance(base, ImageBase) else ())
    versions = (_OFFERED.match(deb.version) for deb in debs if deb.name == "libc6")
    offered = next((int(match[1]) for match in versions if match), None)
    if offered is None:
        return
    problems: list[CognError] = []
    for wheel in wheels:
        if (needed := _needed(wheel)) > offered:
            problems.append(
                RequirementsError(
                    f"{wheel.name} {wheel.version} needs glibc 2.{needed}, and the base, "
                    f"{base.release}, has 2.{offered}",
                    hint="require an older version of it, or take a newer base",
                )
            )
    ProblemsError.raise_if_any(problems)


def _needed(wheel: Wheel) -> int:
    """Return the minor version of the oldest glibc 2 that a wheel runs with, 0 for any."""
    tags = parse_wheel_filename(wheel.file)[3]
    matches = [_NEEDED.fullmatch(tag.platform) for tag in tags]
    return min(int(match[1]) if match else 0 for match in matches)
