"""A new system while its packages' scripts are followed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from cogn.layers.debian.accounts import FILES, AccountRequest, Accounts
from cogn.layers.debian.alternatives import Alternative, alternatives
from cogn.layers.debian.scripts.questions import Questions
from cogn.layers.debian.scripts.tree import Tree
from cogn.layers.entry import Entry, Kind
from cogn.store.images import Rootfs

__all__ = ["TRIPLETS", "Installed", "System"]

TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
"""What paths call an architecture, by Debian's name of it."""


_ROOT = {"etc/passwd": b"root:*:0:0:root:/root:/bin/bash\n", "etc/group": b"root:*:0:\n"}
"""Without files that say so, root is there all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A package of the system."""

    name: str
    version: str
    architecture: str
    depends: tuple[str, ...] = ()
    """The names of the packages to configure before."""


@dataclass(slots=True, kw_only=True)
class System:
    """The state of a system that is more than its files, and its files."""

    tree: Tree
    architecture: str
    """In Debian's terms."""
    installed: Mapping[str, Installed]
    """The packages by name."""
    questions: Questions = field(default_factory=Questions)
    base: Rootfs | None = None
    alternatives: list[Alternative] = field(default_factory=list)
    """What was registered, in its order."""
    wanted: set[str] = field(default_factory=set)
    """The programs that write one file out of those of all packages, to be done at the end."""

    _links: dict[str, set[str]] = field(default_factory=dict)

    def add_alternative(self, alternative: Alternative) -> None:
        """Register an alternative and choose anew; raises `DebError`."""
        self.alternatives.append(alternative)
        tree, base = self.tree, self.base
        before = self._links.get(alternative.name, set())

        def is_taken(path: str) -> bool:
            node = tree.get(tree.real(f"/{path}", follow=False))
            return node is not None and node.kind is not Kind.SYMLINK

        entries = alternatives(
            [each for each in self.alternatives if each.name == alternative.name],
            lambda path: tree.get(tree.real(f"/{path}")) is not None,
            is_taken,
            None if base is None else base.contents,
            None if base is None else base.links,
        )
        placed = {tree.real(f"/{entry.path}", follow=False): entry for entry in entries}
        for path in sorted(before - placed.keys()):
            tree.remove(path)
        for path, entry in placed.items():
            tree.make_parents(path)
            if tree.get(path) != replace(entry, path=path):
                tree.put(replace(entry, path=path))
        self._links[alternative.name] = set(placed)

    def add_accounts(self, requests: Iterable[AccountRequest], *, shadow: bool = False) -> None:
        """Add users and groups to the files that hold them; raises `DebError`.

        `shadow` says that passwords move to shadow(5) and gshadow(5).
        """
        accounts = self.accounts(shadow=shadow)
        for request in requests:
            accounts.apply(request)
        for entry in accounts.entries():
            self._put(entry)

    def accounts(self, *, shadow: bool = False) -> Accounts:
        """Return the users and groups as they are now."""
        files = {path: self.tree.read(path) for path in FILES if self.tree.get(path) is not None}
        return Accounts(_ROOT | files, shadow=shadow)

    def _put(self, entry: Entry) -> None:
        if entry.path in FILES or self.tree.get(entry.path) is None:
            self.tree.make_parents(entry.path)
            self.tree.put(entry)
