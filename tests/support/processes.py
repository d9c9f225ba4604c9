"""What a process of this machine has: children, descriptors, memory."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

__all__ = ["descendants", "descriptors", "resident"]


def descendants(pid: int) -> set[int]:
    """Return the processes that this one has started, and those that they have, zombies too."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            with suppress(OSError):
                fields = (path / "stat").read_text("utf-8").rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(path.name))
    found: set[int] = set()
    ahead = [pid]
    while ahead:
        ahead += (more := [each for each in children.get(ahead.pop(), ()) if each not in found])
        found.update(more)
    return found


def descriptors(pid: int) -> list[str]:
    """Return what the open descriptors of a process are, such as ``socket`` and ``/dev/null``."""
    found = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            found.append(str(path.readlink()).partition(":")[0])
    return sorted(found)


def resident(pid: int) -> float:
    """Return the memory of a process in MB."""
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    return 0.0
