"""Whether the layers of packages can be put on an image: nothing of it may be changed by them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from cogn.layers.entry import Entry, Kind
from cogn.layers.errors import LayerError
from cogn.layers.facts import Facts
from cogn.layers.layer import arrange
from cogn.store.images import Metadata, Rootfs

__all__ = ["check_base"]

_OWN = "var/lib/dpkg/"  # of a package that was removed, dpkg's records stay


def check_base(base: Rootfs, entries: Iterable[Entry], facts: Facts) -> None:
    """Raise `LayerError` unless `base` agrees with `facts` and has room for `entries`."""
    for path, target in facts.shipped_links.items():
        if _target(base, path) != target:
            raise _error(f"it does not have the link `{path}` to `{target}`")
    for path, target in facts.made_links.items():
        if base.has(path) and _target(base, path) != target:
            raise _error(f"its `{path}` is no link to `{target}`")
    for entry in arrange(entries, facts):
        _check(base, entry)


def _check(base: Rootfs, entry: Entry) -> None:
    if entry.kind is not Kind.DIRECTORY:
        if base.has(entry.path) and not entry.path.startswith(_OWN):
            raise _error(f"it has a `{entry.path}` that a package would take the place of")
        return
    found = base.directories.get(entry.path)
    if found is None and base.has(entry.path):
        raise _error(f"its `{entry.path}` is no directory")
    wanted = Metadata(entry.mode, entry.uid, entry.gid)
    if found not in {None, wanted}:
        raise _error(
            f"its directory `{entry.path}` has mode {found.mode:o} and owner "
            f"{found.uid}:{found.gid}, not {wanted.mode:o} and {wanted.uid}:{wanted.gid}"
        )


def _target(base: Rootfs, path: str) -> str | None:
    """Return where a link leads, from the root; None for what is no link."""
    target = base.links.get(path)
    if target is None:
        return None
    return posixpath.normpath(posixpath.join("/", posixpath.dirname(path), target)).lstrip("/")


def _error(what: str) -> LayerError:
    return LayerError(
        f"the base image does not fit: {what}",
        hint="name another image as `base` in cogn.toml, or none",
    )
