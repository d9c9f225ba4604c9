"""What a base that cogn makes consists of: the packages asked for, with a shell and without."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["BASE_PACKAGES", "ESSENCE", "SCRIPTS_NEED", "python_package"]

ESSENCE = (
    # the skeleton: directories, accounts, licences, the C library and its tools: programs look for
    # libraries by way of `ldconfig`
    "base-files",
    "base-passwd",
    "libc6",
    "libc-bin",
    "netbase",
    "tzdata",
    "ca-certificates",
    # PID 1 of the image
    "tini",
    # what every manylinux wheel may take for granted of the C++ and OpenMP runtimes
    "libgomp1",
    "libstdc++6",
)
"""The packages that a base without a shell is made of, with what programs in them need."""

BASE_PACKAGES = (
    *ESSENCE,
    # what someone finds in `podman exec`; tar and gzip are what `kubectl cp` runs
    "bash",
    "coreutils",
    "dash",
    "debianutils",
    "diffutils",
    "findutils",
    "grep",
    "gzip",
    "hostname",
    "mawk",
    "ncurses-base",
    "sed",
    "tar",
)
"""The packages asked for; the base is their closure, or has it."""

SCRIPTS_NEED: Mapping[str, frozenset[str]] = {
    "base-files": frozenset(("awk",)),
    "ca-certificates": frozenset(("debconf", "openssl")),
    "readline-common": frozenset(("dpkg",)),
    "tzdata": frozenset(("debconf",)),
}
"""What packages depend on for the sake of maintainer scripts alone, which never run here.

Each was checked by hand: no program that the package itself brings uses it, but for scripts that
need a shell. ``update-ca-certificates`` is one, and the only one who runs ``openssl``.
"""


def python_package(minor: str) -> str:
    """Return the package with the interpreter of a minor version, such as ``3.13``."""
    return f"python{minor}"
