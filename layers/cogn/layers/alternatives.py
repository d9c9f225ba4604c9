"""Debian's alternatives (update-alternatives(1)), chosen from what maintainer scripts register."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from cogn.layers.deb import DebFile
from cogn.layers.entry import Bytes, Entry
from cogn.layers.errors import DebError

__all__ = ["Alternative", "alternatives", "registered"]

_LINKS = "etc/alternatives"
_DATABASE = "var/lib/dpkg/alternatives"


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way to fill a generic name: the link, its name, the path it leads to, the priority.

    `slaves` holds link, name and path of the links that follow this choice.
    """

    link: str
    name: str
    path: str
    priority: int
    slaves: tuple[tuple[str, str, str], ...]


def registered(package: DebFile) -> Iterator[Alternative]:
    """Yield what the package's postinst registers with literal arguments; raises `DebError`."""
    script = package.files.get("postinst")
    if script is None:
        return
    text = script.data.decode("utf-8", "replace").replace("\\\n", " ")
    for line in text.split("\n"):
        if "update-alternatives --install" in line and not line.lstrip().startswith("#"):
            yield _parse(line, package.name)


def alternatives(packages: Iterable[DebFile], is_present: Callable[[str], bool]) -> Iterator[Entry]:
    """Yield the links and dpkg's records of all alternatives of `packages`.

    `is_present` tells whether the file at a path is part of the image.
    """
    groups: dict[str, list[Alternative]] = {}
    for package in packages:
        for alternative in registered(package):
            if is_present(alternative.path.removeprefix("/")):
                groups.setdefault(alternative.name, []).append(alternative)
    for name, group in sorted(groups.items()):
        best = max(group, key=lambda alternative: alternative.priority)
        for link, slave, path in ((best.link, name, best.path), *best.slaves):
            if is_present(path.removeprefix("/")):
                yield Entry.symlink(f"{_LINKS}/{slave}", path)
                yield Entry.symlink(link.removeprefix("/"), f"/{_LINKS}/{slave}")
        yield Entry.file(f"{_DATABASE}/{name}", Bytes(_record(group).encode()))


def _parse(line: str, package: str) -> Alternative:
    match _arguments(line):
        case [link, name, path, priority, *rest] if priority.isdecimal():
            slaves = []
            while len(rest) >= 4 and rest[0] == "--slave":
                slaves.append((rest[1], rest[2], rest[3]))
                rest = rest[4:]
            words = (link, name, path, *(word for slave in slaves for word in slave))
            if not any("$" in word for word in words) and "/" not in name:
                return Alternative(link, name, path, int(priority), tuple(slaves))
    raise DebError(f"`{package}` registers an alternative that cogn cannot read: {line.strip()}")


def _arguments(line: str) -> list[str]:
    """Return the words after ``--install``; none when the line is no plain command."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return []
    return words[words.index("--install") + 1 :] if "--install" in words else []


def _record(group: Sequence[Alternative]) -> str:
    """Return the record of one group: its links, then each choice with what its slaves lead to."""
    slaves = {name: link for choice in group for link, name, _ in choice.slaves}
    lines = ["auto", group[0].link]
    for name, link in sorted(slaves.items()):
        lines += [name, link]
    lines.append("")
    for choice in sorted(group, key=lambda choice: choice.path):
        paths = {name: path for _, name, path in choice.slaves}
        lines += [
            choice.path,
            str(choice.priority),
            *(paths.get(name, "") for name in sorted(slaves)),
        ]
    return "\n".join([*lines, "", ""])
