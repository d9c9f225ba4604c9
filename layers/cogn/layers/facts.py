"""Facts about the base below a layer: where its directory links lead, what its directories are.

A layer that writes ``lib/x`` on a base whose ``lib`` is a link to ``usr/lib`` replaces the link
with a directory, and a layer that holds ``tmp/x`` without the right ``tmp`` changes its mode. Both
break the image, so every layer is written with the facts of its base.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cogn.layers.debian.filters import OWN_FILTERS, PathFilters, dpkg_filters
from cogn.layers.entry import Entry, Kind
from cogn.layers.errors import LayerError

if TYPE_CHECKING:
    from cogn.store.images import Rootfs

__all__ = ["Facts", "debian_facts", "image_facts", "merged_usr"]

_LOADER_DIRECTORIES = {"amd64": {"lib64": "usr/lib64"}, "arm64": {}}
_MOVED_TO_RUN = {"var/lock": "run/lock", "var/run": "run"}
_PRIVATE = ("etc/ssl/private", "root", "var/cache/ldconfig")
_STICKY = ("run/lock", "tmp", "var/tmp")
_MAIL_GROUP = 8
_STAFF_GROUP = 50
_MOST_LINKS = 40  # on the way to a file: what Linux follows
_LONGEST_TARGET = 4095


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the layers above a base must know about it. All paths are relative to the root."""

    links: Mapping[str, str] = field(default_factory=dict)
    """The links to directories that the base has, by path: the real paths of the directories."""
    laid_links: Mapping[str, str] = field(default_factory=dict)
    """Those of `links` that no package contains, so that the base's layer brings them: until
    bookworm, who set a system up made them."""
    made_links: Mapping[str, str] = field(default_factory=dict)
    """The links that take the place of a packaged directory when a system is set up."""
    directories: Mapping[str, Entry] = field(default_factory=dict)
    """What is known of the base's directories, by path; all that are not plain ones of root with
    mode 0755 are among them."""
    filters: PathFilters = OWN_FILTERS
    """Which files of packages stay out."""

    def resolve(self, path: str) -> str:
        """Return the real path of `path`: links on the way are followed, `path` itself is not."""
        parent, slash, name = path.rpartition("/")
        return _join(self.resolve_directory(parent), name) if slash else path

    def resolve_directory(self, path: str) -> str:
        """Return the real path of the directory `path`, following it too when it is a link."""
        real = ""
        for part in path.split("/"):
            real = _join(real, part)
            real = self.links.get(real, self.made_links.get(real, real))
        return real

    def directory(self, path: str) -> Entry:
        """Return the entry of the directory `path` as it is in the base."""
        return self.directories.get(path) or Entry.directory(path)

    def verify(self, entries: Iterable[Entry]) -> None:
        """Raise `LayerError` unless the base layer made of `entries` agrees with these facts."""
        by_path = {entry.path: entry for entry in entries}
        for path, target in self.links.items():
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


def merged_usr(architecture: str) -> dict[str, str]:
    """Return the links of a merged /usr, for an architecture in Debian's terms."""
    links = {"bin": "usr/bin", "lib": "usr/lib", "sbin": "usr/sbin"}
    return links | _LOADER_DIRECTORIES[architecture]


def debian_facts(release: str, architecture: str) -> Facts:
    """Return the facts of cogn's own base of a release of Debian, by its code name."""
    directories = [
        *(Entry.directory(path, 0o700) for path in _PRIVATE),
        *(Entry.directory(path, 0o1777) for path in _STICKY),
        Entry(path="var/mail", kind=Kind.DIRECTORY, mode=0o2775, gid=_MAIL_GROUP),
    ]
    if release == "bookworm":
        local = Entry(path="var/local", kind=Kind.DIRECTORY, mode=0o2775, gid=_STAFF_GROUP)
        directories.append(local)
    links = merged_usr(architecture)
    return Facts(
        links=links,
        laid_links=links if release == "bookworm" else {},
        made_links=_MOVED_TO_RUN,
        directories={entry.path: entry for entry in directories},
    )


def image_facts(rootfs: Rootfs) -> Facts:
    """Return the facts of an image, out of what it holds.

    A link that leads nowhere, to a file or in a circle is none to a directory.
    """
    real = {path: _followed(rootfs, path) for path in rootfs.links}
    return Facts(
        links={path: target for path, target in real.items() if target is not None},
        directories={
            path: Entry(path=path, kind=Kind.DIRECTORY, mode=each.mode, uid=each.uid, gid=each.gid)
            for path, each in rootfs.directories.items()
        },
        filters=dpkg_filters(rootfs.contents),
    )


def _followed(rootfs: Rootfs, path: str) -> str | None:
    """Return the real path of the directory that a path leads to, None if it leads to none."""
    real = ""
    parts = path.split("/")[::-1]
    followed = 0
    while parts:
        part = parts.pop()
        if part in {"", "."}:
            continue
        if part == "..":
            real = real.rpartition("/")[0]
            continue
        step = _join(real, part)
        target = rootfs.links.get(step)
        if target is not None:
            followed += 1
            if followed > _MOST_LINKS or len(target) > _LONGEST_TARGET:
                return None
            real = "" if target.startswith("/") else real
            parts += target.split("/")[::-1]
        elif step in rootfs.directories:
            real = step
        else:
            return None
    return real


def _join(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name


def _metadata(entry: Entry) -> tuple[int, int, int]:
    return entry.mode, entry.uid, entry.gid
