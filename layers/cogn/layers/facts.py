"""Facts about the base below a layer: where its directory links lead, what its directories are.

A layer that writes ``lib/x`` on a base whose ``lib`` is a link to ``usr/lib`` replaces the link
with a directory, and a layer that holds ``tmp/x`` without the right ``tmp`` changes its mode. Both
break the image, so every layer is written with the facts of its base.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cogn.layers.entry import Entry, Kind
from cogn.layers.errors import LayerError

__all__ = ["Facts", "debian_facts"]

_MERGED_USR = {"bin": "usr/bin", "lib": "usr/lib", "sbin": "usr/sbin"}
_LOADER_DIRECTORIES = {"amd64": {"lib64": "usr/lib64"}, "arm64": {}}
_MOVED_TO_RUN = {"var/lock": "run/lock", "var/run": "run"}
_PRIVATE = ("etc/ssl/private", "root", "var/cache/ldconfig")
_STICKY = ("run/lock", "tmp", "var/tmp")
_MAIL_GROUP = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the layers above a base must know about it. All paths are relative to the root."""

    shipped_links: Mapping[str, str] = field(default_factory=dict)
    """The links to directories that the base's packages contain: path to target."""
    made_links: Mapping[str, str] = field(default_factory=dict)
    """The links that take the place of a packaged directory when a system is set up."""
    directories: Mapping[str, Entry] = field(default_factory=dict)
    """The directories that are not plain ones of root with mode 0755, by path."""

    def resolve(self, path: str) -> str:
        """Return the real path of `path`: links on the way are followed, `path` itself is not."""
        parent, slash, name = path.rpartition("/")
        return f"{self.resolve_directory(parent)}/{name}" if slash else path

    def resolve_directory(self, path: str) -> str:
        """Return the real path of the directory `path`, following it too when it is a link."""
        real = ""
        for part in path.split("/"):
            real = f"{real}/{part}" if real else part
            real = self.shipped_links.get(real) or self.made_links.get(real) or real
        return real

    def directory(self, path: str) -> Entry:
        """Return the entry of the directory `path` as it is in the base."""
        return self.directories.get(path) or Entry.directory(path)

    def verify(self, entries: Iterable[Entry]) -> None:
        """Raise `LayerError` unless the base layer made of `entries` agrees with these facts."""
        by_path = {entry.path: entry for entry in entries}
        for path, target in self.shipped_links.items():
            entry = by_path.get(path)
            if entry is None or entry.kind is not Kind.SYMLINK or entry.target != target:
                msg = f"the base does not have the link `{path}` to `{target}` that cogn expects"
                raise LayerError(msg)
        for path in self.made_links:
            if path in by_path:
                raise LayerError(f"the base has `{path}`, which has to become a link")
        for path, entry in by_path.items():
            expected = self.directory(path)
            if entry.kind is Kind.DIRECTORY and _metadata(entry) != _metadata(expected):
                msg = (
                    f"the base's directory `{path}` has mode {entry.mode:o} and owner "
                    f"{entry.uid}:{entry.gid}, not {expected.mode:o} and "
                    f"{expected.uid}:{expected.gid} as cogn expects"
                )
                raise LayerError(msg)


def debian_facts(architecture: str) -> Facts:
    """Return the facts of Debian 13 (trixie), for an architecture in Debian's terms."""
    directories = [
        *(Entry.directory(path, 0o700) for path in _PRIVATE),
        *(Entry.directory(path, 0o1777) for path in _STICKY),
        Entry(path="var/mail", kind=Kind.DIRECTORY, mode=0o2775, gid=_MAIL_GROUP),
    ]
    return Facts(
        shipped_links=_MERGED_USR | _LOADER_DIRECTORIES[architecture],
        made_links=_MOVED_TO_RUN,
        directories={entry.path: entry for entry in directories},
    )


def _metadata(entry: Entry) -> tuple[int, int, int]:
    return entry.mode, entry.uid, entry.gid
