"""What the kernel says about the memory of this container: its limit, and whom it killed for it.

https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files, and for machines with the
first version https://docs.kernel.org/admin-guide/cgroup-v1/memory.html.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

__all__ = ["MemoryLimit"]

_MIB = 1 << 20
_NO_LIMIT = 1 << 60
"""From here on the first version means that there is none."""


class MemoryLimit:
    """The control group's limit; `was_hit` tells whether processes were killed for it."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._events, self._limit = _files(root)
        self._kills = self._count()

    def was_hit(self) -> bool:
        """Return whether the kernel killed a process since the last time that this was asked."""
        before, self._kills = self._kills, self._count()
        return self._kills > before

    def describe(self) -> str:
        """Return the limit in words."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            limit = int(self._limit.read_text())  # type: ignore[union-attr]  # see the suppression
            if limit < _NO_LIMIT:
                return f"the memory limit of {limit // _MIB} MiB was reached"
        return "memory ran out"

    def _count(self) -> int:
        if self._events is None:
            return 0
        with contextlib.suppress(OSError, ValueError):
            for line in self._events.read_text().splitlines():
                name, _, value = line.partition(" ")
                if name == "oom_kill":
                    return int(value)
        return 0


def _files(root: Path) -> tuple[Path | None, Path | None]:
    """Return the files of this process's group: that of events and that of the limit."""
    for group in _groups(root):
        for events, limit in (
            ("memory.events", "memory.max"),
            ("memory.oom_control", "memory.limit_in_bytes"),
        ):
            if (group / events).is_file():
                return group / events, group / limit
    return None, None


def _groups(root: Path) -> Iterator[Path]:
    mounted = root / "sys/fs/cgroup"
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                yield mounted / path.lstrip("/")
            elif "memory" in controllers.split(","):
                yield mounted / "memory" / path.lstrip("/")
    # In a container, the mount shows the container's group as the root.
    yield mounted
    yield mounted / "memory"
