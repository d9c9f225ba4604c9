"""The environments that wheels are chosen for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from packaging.markers import Environment
from packaging.tags import Tag, compatible_tags, cpython_tags

__all__ = ["Target"]

_UV_GLIBCS = (17, 28, *range(31, 41))
"""The minor versions of glibc 2 that uv has platforms for."""
_MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
_OLDEST_MANYLINUX = {"x86_64": 5, "aarch64": 17}
_LEGACY_MANYLINUX = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}


@dataclass(frozen=True)
class Target:
    """The environment that wheels are chosen for: CPython on Linux with glibc."""

    python: str
    """The minor version, such as ``3.13``."""
    platform: str
    """In OCI's terms: ``linux/amd64`` or ``linux/arm64``."""
    glibc: str = f"2.{_UV_GLIBCS[-1]}"
    """The newest glibc that wheels may need: that of the image."""

    @property
    def uv_platform(self) -> str:
        """The target's name as ``uv --python-platform`` knows it: none of a newer glibc."""
        minor = max(each for each in _UV_GLIBCS if each <= self._glibc or each == _UV_GLIBCS[0])
        return f"{self._machine}-manylinux_2_{minor}"

    @cached_property
    def environment(self) -> Environment:
        """The values of the environment markers (PEP 508)."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": self._machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
        }

    @cached_property
    def tags(self) -> tuple[Tag, ...]:
        """The wheel tags (PEP 425) that fit, the most specific first."""
        major, minor = map(int, self.python.split("."))
        abi = f"cp{major}{minor}"
        platforms = tuple(self._platform_tags())
        return (
            *cpython_tags((major, minor), [abi], platforms),
            *compatible_tags((major, minor), abi, platforms),
        )

    @property
    def _machine(self) -> str:
        return _MACHINES[self.platform]

    @property
    def _glibc(self) -> int:
        return int(self.glibc.partition(".")[2])

    def _platform_tags(self) -> Iterator[str]:
        machine = self._machine
        for minor in range(self._glibc, _OLDEST_MANYLINUX[machine] - 1, -1):
            yield f"manylinux_2_{minor}_{machine}"
            if legacy := _LEGACY_MANYLINUX.get(minor):
                yield f"{legacy}_{machine}"
        yield f"linux_{machine}"
