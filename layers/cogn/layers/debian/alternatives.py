"""Debian's alternatives, as update-alternatives(1) of dpkg registers and chooses them.

The state of a group of links is its record in ``/var/lib/dpkg/alternatives`` and the links in
``/etc/alternatives``. Registrations are applied one after the other to what the base has, because
their order shows: of two choices with the same priority the one that was chosen first stays.

An image cannot remove what its base has (no whiteouts), so a link that update-alternatives would
remove from the base, because the new choice lacks it, stays there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cogn.layers.entry import Bytes, Entry, check_path
from cogn.layers.errors import DebError

__all__ = ["Alternative", "alternatives"]

_LINKS = "etc/alternatives"
_DATABASE = "var/lib/dpkg/alternatives"
_PRIORITIES = range(-(2**31), 2**31)
_PRIORITY = re.compile(r"[+-]?[0-9]{1,10}", re.ASCII)
_NO_NAME = re.compile(r"[/\s]")


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way to fill a generic name: the link, its name, the path it leads to, the priority.

    `slaves` holds link, name and path of the links that follow this choice.
    """

    link: str
    name: str
    path: str
    priority: int
    slaves: tuple[tuple[str, str, str], ...] = ()

    @classmethod
    def parse(cls, words: Sequence[str]) -> Alternative:
        """Return what ``update-alternatives`` with these arguments registers.

        The arguments are literal: quotes and variables of the shell are gone. Raises `DebError`
        unless they are one ``--install`` that update-alternatives accepts.
        """
        rest = [word for word in words if word not in {"--quiet", "--verbose", "--force"}]
        slaves = []
        match rest:
            case ["--install", link, name, path, priority, *rest] if _PRIORITY.fullmatch(priority):
                while len(rest) >= 4 and rest[0] in {"--slave", "--follower"}:
                    slaves.append((rest[1], rest[2], rest[3]))
                    rest = rest[4:]
                parsed = cls(link, name, path, int(priority), tuple(slaves))
                if not rest and parsed.is_valid:
                    return parsed
        command = f"update-alternatives {' '.join(words)}"
        raise DebError(f"`{command}` registers an alternative that cogn cannot read")

    @property
    def is_valid(self) -> bool:
        """Whether update-alternatives accepts it on a system that has no other."""
        links = (self.link, *(link for link, _, _ in self.slaves))
        names = (self.name, *(name for _, name, _ in self.slaves))
        paths = (self.path, *(path for _, _, path in self.slaves))
        return (
            self.priority in _PRIORITIES
            and all(map(_is_path, (*links, *paths)))
            and all(map(_is_name, names))
            and all(link != path for link, path in zip(links, paths, strict=True))
            and len(set(links)) == len(links)
            and len(set(names)) == len(names)
        )


def alternatives(
    registered: Iterable[Alternative],
    is_present: Callable[[str], bool],
    is_taken: Callable[[str], bool] = lambda path: False,
    contents: Mapping[str, bytes] | None = None,
    links: Mapping[str, str] | None = None,
) -> Iterator[Entry]:
    """Yield the links and dpkg's records of the groups that `registered` adds to, in that order.

    All paths that the functions and mappings below get or have are relative to the root.
    `is_present` tells whether the image has a file at a path, with links followed and with what
    the base has; what is registered for another path (a manual page that is left out) is not there.
    `is_taken` tells whether a path itself is a file or directory, which no link replaces.
    `contents` and `links` are the base's files and symbolic links, as in `Rootfs`: its groups are
    continued, and the entries of them that are yielded take the place of the base's. Raises
    `DebError` for links or names that belong to another group, and for a record that is damaged.
    """
    groups = _Groups(is_present, contents or {}, links or {})
    for alternative in registered:
        if is_present(_relative(alternative.path)):
            groups.install(alternative)
    for _, group in sorted(groups.changed.items()):
        yield from group.entries(is_present, is_taken)


@dataclass(slots=True)
class _Choice:
    priority: int
    paths: dict[str, str]
    """What each slave leads to, by its name."""


@dataclass(slots=True)
class _Group:
    name: str
    link: str = ""
    is_automatic: bool = True
    slaves: dict[str, str] = field(default_factory=dict)
    """The links of the slaves by their names."""
    choices: dict[str, _Choice] = field(default_factory=dict)
    current: str | None = None
    """What the link in /etc/alternatives leads to."""

    def install(self, alternative: Alternative) -> None:
        """Add a choice or replace it, and take the best one unless somebody has chosen."""
        self.link = alternative.link
        self.slaves |= {name: link for link, name, _ in alternative.slaves}
        paths = {name: path for _, name, path in alternative.slaves}
        self.choices[alternative.path] = _Choice(alternative.priority, paths)
        if self.is_automatic:
            self.current = self._best()
        used = {name for choice in self.choices.values() for name in choice.paths}
        self.slaves = {name: link for name, link in sorted(self.slaves.items()) if name in used}
        self.choices = dict(sorted(self.choices.items()))

    def _best(self) -> str:
        """Return the choice with the highest priority: the current one if several have it."""
        highest = max(choice.priority for choice in self.choices.values())
        best = [path for path, choice in self.choices.items() if choice.priority == highest]
        return self.current if self.current in best else best[0]

    def entries(
        self, is_present: Callable[[str], bool], is_taken: Callable[[str], bool]
    ) -> Iterator[Entry]:
        """Yield the links of the current choice, and the record."""
        if self.current in self.choices:
            paths = self.choices[self.current].paths
            leading = {name: (link, paths.get(name)) for name, link in self.slaves.items()}
            for name, (link, path) in {self.name: (self.link, self.current), **leading}.items():
                if path and is_present(_relative(path)):
                    yield Entry.symlink(f"{_LINKS}/{name}", path)
                    if not is_taken(_relative(link)):
                        yield Entry.symlink(_relative(link), f"/{_LINKS}/{name}")
        yield Entry.file(f"{_DATABASE}/{self.name}", Bytes(self._record().encode()))

    def _record(self) -> str:
        """Return the record: mode, links, then each choice with what its slaves lead to."""
        lines = ["auto" if self.is_automatic else "manual", self.link]
        for slave in self.slaves.items():
            lines += slave
        lines.append("")
        for path, choice in self.choices.items():
            lines += [path, str(choice.priority)]
            lines += [choice.paths.get(name, "") for name in self.slaves]
        return "".join(f"{line}\n" for line in [*lines, ""])


class _Groups:
    """All groups: those of the base, and those that registrations make or change."""

    def __init__(
        self,
        is_present: Callable[[str], bool],
        contents: Mapping[str, bytes],
        links: Mapping[str, str],
    ) -> None:
        self.changed: dict[str, _Group] = {}
        self._base: dict[str, _Group | None] = {}
        self._link_owners: dict[str, tuple[str, str]] = {}
        self._name_owners: dict[str, tuple[str, str]] = {}
        for path, record in sorted(contents.items()):
            directory, _, name = path.rpartition("/")
            if directory == _DATABASE and record:
                group = _read(name, record, is_present, links.get(f"{_LINKS}/{name}"))
                self._base[name] = group
                if group is not None:
                    self._note(group)

    def install(self, alternative: Alternative) -> None:
        """Register a choice; raises `DebError`."""
        name = alternative.name
        if name not in self.changed:
            group = self._base.get(name, _Group(name))
            if group is None:
                raise DebError(f"the base image's record of the alternative `{name}` is damaged")
            self.changed[name] = group
        for link, own, _ in ((alternative.link, name, ""), *alternative.slaves):
            for owners, key in ((self._name_owners, own), (self._link_owners, link)):
                owner = owners.get(key, (name, own))
                if owner != (name, own):
                    msg = f"the alternative `{own}` of `{name}` takes `{key}` from `{owner[0]}`"
                    raise DebError(msg)
        group = self.changed[name]
        group.install(alternative)
        self._note(group)

    def _note(self, group: _Group) -> None:
        """Remember whose the links and names of a group are, in place of what it had before."""
        for links in (self._link_owners, self._name_owners):
            for key in [key for key, owner in links.items() if owner[0] == group.name]:
                del links[key]
        for name, link in ((group.name, group.link), *group.slaves.items()):
            self._name_owners.setdefault(name, (group.name, name))
            self._link_owners.setdefault(link, (group.name, name))


def _read(
    name: str, record: bytes, is_present: Callable[[str], bool], current: str | None
) -> _Group | None:
    """Return the group that the base has a record of; None when dpkg could not read it.

    Choices whose file is gone are dropped, as dpkg does when it reads a record.
    """
    try:
        return _parse(name, iter(record.decode().split("\n")), is_present, current)
    except (StopIteration, UnicodeDecodeError, ValueError):
        return None


def _parse(
    name: str, lines: Iterator[str], is_present: Callable[[str], bool], current: str | None
) -> _Group:
    mode, link = next(lines), next(lines)
    group = _Group(name, link, is_automatic=mode == "auto", current=current)
    while slave := next(lines):
        group.slaves[slave] = next(lines)
    while path := next(lines):
        priority = next(lines)
        paths = {slave: target for slave in group.slaves if (target := next(lines))}
        slaves = tuple((group.slaves[slave], slave, paths[slave]) for slave in paths)
        if not _PRIORITY.fullmatch(priority):
            raise ValueError
        if not Alternative(link, name, path, int(priority), slaves).is_valid:
            raise ValueError
        if is_present(_relative(path)):
            group.choices[path] = _Choice(int(priority), paths)
    if mode not in {"auto", "manual"}:
        raise ValueError
    if current is None or not (current in group.choices or is_present(_relative(current))):
        group.is_automatic = True  # the link is missing or leads nowhere
    elif current not in group.choices:
        group.is_automatic = False  # somebody made it lead elsewhere
    return group


def _is_path(text: str) -> bool:
    return text.startswith("/") and check_path(_relative(text)) is None


def _is_name(text: str) -> bool:
    return bool(text) and not _NO_NAME.search(text) and check_path(text) is None


def _relative(path: str) -> str:
    return path.removeprefix("/")
