"""The files of a new system while its scripts are followed: what is there, and what they change."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from cogn.layers.content import read_all
from cogn.layers.debian.listing import Item
from cogn.layers.debian.scripts.errors import Unfollowed
from cogn.layers.entry import Bytes, Entry, Kind, Slice, check_path
from cogn.store.images import Rootfs

__all__ = ["Tree"]

_MOST_LINKS = 40
_LARGEST = 64 << 20
_OF_THE_MACHINE = ("dev", "proc", "sys")
_PROGRAMS = ("bin", "sbin", "games")
_KINDS = {"file": Kind.FILE, "directory": Kind.DIRECTORY, "symlink": Kind.SYMLINK}


class Tree:
    """The files of an image by their real paths, without a slash in front.

    A file of a base image has a name but, unless it is one of those that are kept, no content.
    """

    def __init__(self, base: Rootfs | None = None) -> None:
        self._nodes: dict[str, Entry] = {"": Entry.directory("")}
        self._names: dict[str, set[str]] = {}
        self._owners: dict[str, set[str]] = {}
        self._packaged: dict[str, list[str]] = {}
        self._hidden: frozenset[str] = frozenset()
        self._readers: dict[str, Callable[[str], bytes]] = {}
        self._before: set[str] = set()
        self._lost: set[str] = set()
        self._made: dict[str, Entry] = {}
        if base is not None:
            self._add_base(base)

    def _add_base(self, base: Rootfs) -> None:
        for path, metadata in base.directories.items():
            directory = Entry.directory(path, metadata.mode)
            self._place(replace(directory, uid=metadata.uid, gid=metadata.gid))
        for path, target in base.links.items():
            self._place(Entry.symlink(path, target))
        for path in base.files:
            is_program = posixpath.basename(posixpath.dirname(path)) in _PROGRAMS
            content = base.contents.get(path)
            if content is None:
                self._readers[path] = _unread
            self._place(Entry.file(path, Bytes(content or b""), executable=is_program))

    def add(
        self, package: str, items: Iterable[tuple[str, Item]], read: Callable[[str], bytes]
    ) -> None:
        """Add what a package has, by the real paths; `read` returns the content of a file."""
        for path, item in items:
            self._owners.setdefault(path, set()).add(package)
            self._packaged.setdefault(package, []).append(path)
            kind = _KINDS[item.kind]
            if kind is Kind.DIRECTORY and path in self._nodes:
                continue
            target = item.text if kind is Kind.SYMLINK else ""
            content = Slice(Path(), 0, item.size)  # read when somebody needs it
            self._place(
                Entry(
                    path=path,
                    kind=kind,
                    mode=item.mode,
                    uid=item.uid,
                    gid=item.gid,
                    target=target,
                    content=content,
                )
            )
            if kind is Kind.FILE:
                self._readers[path] = read

    @contextmanager
    def without(self, package: str) -> Iterator[None]:
        """Hide what only this package has, as long as it is not unpacked."""
        self._hidden = frozenset(
            path
            for path in self._packaged.get(package, ())
            if len(self._owners[path]) == 1 and path not in self._made
        )
        yield
        self._hidden = frozenset()

    @property
    def made(self) -> Mapping[str, Entry]:
        """What scripts have made or changed, by its path."""
        return self._made

    def lay(self, path: str, target: str) -> None:
        """Add a link to a directory that the base has, whatever packages have in its place."""
        self._nodes.pop(path, None)
        self._place(Entry.symlink(path, f"/{target}"))

    def owns(self, package: str, path: str) -> bool:
        """Tell whether the package has that path."""
        return package in self._owners.get(path, ())

    def paths(self, package: str) -> list[str]:
        """Return the paths that a package has, sorted."""
        return sorted(self._packaged.get(package, ()))

    # Looking.

    def real(self, path: str, *, follow: bool = True, directory: str = "/") -> str:
        """Return the real path of `path`, which need not exist; links on the way are followed.

        `follow` says whether the last part is too; `directory` is where a relative path starts.
        Raises `Unfollowed` for links that lead round in a circle.
        """
        parts = [part for part in posixpath.join(directory, path).split("/") if part][::-1]
        done: list[str] = []
        links = 0
        while parts:
            part = parts.pop()
            if part == "..":
                done = done[:-1]
            elif part != ".":
                done.append(part)
                node = self._find("/".join(done))
                if node is not None and node.kind is Kind.SYMLINK and (parts or follow):
                    links += 1
                    if links > _MOST_LINKS:
                        raise Unfollowed(f"the links at `{path}` lead round in a circle")
                    done = [] if node.target.startswith("/") else done[:-1]
                    parts += [each for each in node.target.split("/") if each][::-1]
        if done and done[0] in _OF_THE_MACHINE:
            raise Unfollowed(f"`{path}` depends on the machine that it runs on")
        return "/".join(done)

    def get(self, real: str) -> Entry | None:
        """Return what is at a real path."""
        return self._find(real)

    def _find(self, real: str) -> Entry | None:
        return None if real in self._hidden else self._nodes.get(real)

    def names(self, real: str) -> list[str]:
        """Return the names in a directory, sorted."""
        prefix = f"{real}/" if real else ""
        return sorted(n for n in self._names.get(real, ()) if f"{prefix}{n}" not in self._hidden)

    def below(self, real: str) -> list[Entry]:
        """Return everything below a directory, sorted by path."""
        found = []
        for name in self.names(real):
            path = f"{real}/{name}" if real else name
            node = self._nodes[path]
            found.append(node)
            if node.kind is Kind.DIRECTORY:
                found += self.below(path)
        return found

    def all(self) -> Iterable[Entry]:
        """Return everything that is there, in no order."""
        return self._nodes.values()

    def read(self, real: str) -> bytes:
        """Return the content of a file; raises `Unfollowed` where it is not known."""
        node = self._find(real)
        if node is None or node.kind is not Kind.FILE:
            raise Unfollowed(f"it reads `/{real}`, which is no file")
        if node.content.size > _LARGEST:
            raise Unfollowed(f"it reads `/{real}`, which is large")
        reader = self._readers.get(real)
        return read_all(node.content) if reader is None else reader(real)

    # Changing.

    def put(self, entry: Entry) -> None:
        """Put a file, link or directory at its real path; its parent directory must exist."""
        parent = posixpath.dirname(entry.path)
        above = self._find(parent)
        if check_path(entry.path) or above is None or above.kind is not Kind.DIRECTORY:
            raise Unfollowed(f"it makes `/{entry.path}`, for which there is no directory")
        before = self._find(entry.path)
        if before is not None and (before.kind is Kind.DIRECTORY) != (entry.kind is Kind.DIRECTORY):
            raise Unfollowed(f"it puts something else in place of `/{entry.path}`")
        self._readers.pop(entry.path, None)
        self._hidden -= {entry.path}
        self._lost.discard(entry.path)
        self._made[entry.path] = entry
        self._place(entry)

    def make_parents(self, real: str) -> None:
        """Make the directories above a path that are missing, as root's with mode 0755."""
        parent = posixpath.dirname(real)
        if parent and self._find(parent) is None:
            self.make_parents(parent)
            self.put(Entry.directory(parent))

    def change(self, changed: Entry) -> None:
        """Put another mode, owner or attribute on what is there, unless it is so already."""
        node = self._find(changed.path)
        if changed == node:
            return
        if changed.kind is Kind.FILE:
            changed = replace(changed, content=Bytes(self.read(changed.path)))
        self.put(changed)

    def remove(self, real: str) -> None:
        """Remove a file, link or empty directory; what a package or the base has is `lost` then."""
        if self.names(real):
            raise Unfollowed(f"it removes `/{real}` with what is in it")
        if real in self._before:
            self._lost.add(real)
        self._made.pop(real, None)
        del self._nodes[real]
        self._names[posixpath.dirname(real)].discard(posixpath.basename(real))

    @property
    def lost(self) -> AbstractSet[str]:
        """What lies in a layer below and was removed, which no layer can do."""
        return self._lost

    def _place(self, entry: Entry) -> None:
        path = entry.path
        if path not in self._made:
            self._before.add(path)
        self._nodes[path] = entry
        while path:
            path, _, name = path.rpartition("/")
            names = self._names.setdefault(path, set())
            if name in names:
                return
            names.add(name)
            self._nodes.setdefault(path, Entry.directory(path))


def _unread(real: str) -> bytes:
    raise Unfollowed(f"it needs the content of `/{real}`, which the base image has")
