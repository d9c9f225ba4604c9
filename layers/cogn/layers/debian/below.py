"""An image below packages: what of it stays as it is, and what may be put on it."""

from __future__ import annotations

from collections.abc import Iterable

from cogn.layers.entry import Entry, Kind
from cogn.layers.errors import LayerError
from cogn.layers.facts import Facts, image_facts
from cogn.store.images import Metadata, Rootfs

__all__ = ["ImageBelow"]

_OWN = "var/lib/dpkg/"  # of a package that was removed, dpkg's records stay
_DIVERSIONS = "var/lib/dpkg/diversions"
_ADMINISTRATOR = ":"


class ImageBelow:
    """Says what packages may write onto an image."""

    def __init__(self, rootfs: Rootfs) -> None:
        """Raise `LayerError` for a list of diversions that is damaged."""
        self.rootfs = rootfs
        self.facts: Facts = image_facts(rootfs)
        lines = rootfs.text(_DIVERSIONS).splitlines()
        if len(lines) % 3:
            raise _error(f"its `{_DIVERSIONS}` is damaged")
        self._diverted = {
            self.facts.resolve(path.removeprefix("/")): (path, by)
            for path, by in zip(lines[::3], lines[2::3], strict=True)
        }

    def takes(self, entry: Entry, package: str, conffiles: Iterable[str]) -> bool:
        """Tell whether an entry of a package comes into its layer: a conffile that is there stays.

        The entry's path is a real one. Raises `LayerError` for one that the image has no room for.
        """
        path = entry.path
        if entry.kind is Kind.DIRECTORY:
            self.require_directory(path)
            return True
        diverted, by = self._diverted.get(path, (path, package))
        if by != package:
            who = "its administrator" if by == _ADMINISTRATOR else f"its package `{by}`"
            raise _error(f"{who} diverts `{diverted}`, which `{package}` has")
        if not self.rootfs.has(path) or path.startswith(_OWN):
            return True
        if path in conffiles and path not in self.rootfs.directories:
            return False
        raise _error(f"it has a `{path}` that the one of the package `{package}` would replace")

    def require_directory(self, path: str) -> None:
        """Raise `LayerError` if there is something else than a directory at a real path."""
        if path not in self.rootfs.directories and self.rootfs.has(path):
            raise _error(f"its `{path}` is no directory")

    def require_plain(self, path: str) -> None:
        """Raise `LayerError` unless a directory and all above it are plain ones, or not there."""
        real = ""
        for part in path.split("/"):
            real = f"{real}/{part}" if real else part
            self.require_directory(real)
            found = self.rootfs.directories.get(real, Metadata())
            if found != Metadata():
                raise _error(
                    f"its directory `{real}` has mode {found.mode:o} and owner "
                    f"{found.uid}:{found.gid}, not 755 and 0:0"
                )


def _error(what: str) -> LayerError:
    return LayerError(
        f"the base image does not fit: {what}",
        hint="name another image as `base` in cogn.toml, or none",
    )
