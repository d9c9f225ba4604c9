"""Writing one layer in the format ``cogn-layer/1``.

The format: entries in the order of their paths' parts, every parent directory explicit, no path
twice, no whiteout, `tar` headers, `gzip` members or `zstd` frames. A change of any rule that
changes bytes is a new format name, because that name is part of every recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from cogn.layers import tar
from cogn.layers.content import read_all
from cogn.layers.entry import Bytes, Entry, Kind, check_path
from cogn.layers.errors import LayerError
from cogn.layers.facts import Facts
from cogn.layers.gzip import GzipStream
from cogn.layers.stream import TarStream

__all__ = ["FORMAT", "Compression", "Layer", "arrange", "write"]

FORMAT = "cogn-layer/1"

_MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar"

Compression = Literal["gzip", "zstd"]
"""How the bytes of a layer are compressed, in the words of OCI's media types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer that exists or existed: its digests and its compressed size in bytes."""

    diff_id: str
    digest: str
    size: int
    compression: Compression | None = "gzip"
    """None for a plain archive, which only bases have."""

    @property
    def media_type(self) -> str:
        """The layer's media type (OCI image specification, layer.md)."""
        return _MEDIA_TYPE + (f"+{self.compression}" if self.compression else "")


def write(
    entries: Iterable[Entry],
    facts: Facts,
    out: Callable[[bytes], None],
    compression: Compression = "gzip",
) -> str:
    """Write the layer that holds `entries` to `out`; return its diff ID.

    `facts` tell what lies below. Raises `LayerError` for entries that do not fit together and for
    content that is not what its entry says.
    """
    stream = _stream(compression, out)
    for entry in arrange(entries, facts):
        stream.write(tar.header(entry))
        if entry.kind is Kind.FILE:
            stream.write_content(entry.content)
            stream.write(tar.padding(entry.content.size))
    stream.write(tar.END)
    stream.close()
    return stream.diff_id


def _stream(compression: Compression, out: Callable[[bytes], None]) -> TarStream:
    if compression == "gzip":
        return GzipStream(out)
    from cogn.layers.zstd import ZstdStream  # late: few ask for it

    return ZstdStream(out)


def arrange(entries: Iterable[Entry], facts: Facts) -> list[Entry]:
    """Return `entries` as the format wants them: real paths, all parents, no doubles, in order."""
    placed: dict[str, Entry] = {}
    for given in entries:
        if fault := check_path(given.path):
            raise LayerError(f"`{given.path}` {fault}")
        entry = replace(given, path=_place(given, facts))
        if entry.kind is Kind.HARDLINK:
            entry = replace(entry, target=facts.resolve(entry.target))
        other = placed.get(entry.path)
        if other is None or (entry.kind is other.kind is Kind.DIRECTORY):
            placed[entry.path] = entry
        elif not _same(entry, other):
            raise LayerError(f"`{entry.path}` is there twice with different content")
    for path in list(placed):
        _add_parents(path, placed, facts)
    _lead_hardlinks(placed)
    return [placed[path] for path in sorted(placed, key=_order)]


def _place(entry: Entry, facts: Facts) -> str:
    """Return the real path of an entry, which may be that of a link only if it is one itself."""
    if entry.kind is Kind.DIRECTORY:
        return facts.resolve_directory(entry.path)
    path = facts.resolve(entry.path)
    if entry.kind is not Kind.SYMLINK and facts.resolve_directory(path) != path:
        raise LayerError(f"`{path}` is a link to a directory in the base, and a file here")
    return path


def _same(one: Entry, other: Entry) -> bool:
    """Tell whether two entries of one path would unpack to the same thing."""
    if replace(one, content=other.content) != other or one.content.size != other.content.size:
        return False
    return one.content == other.content or read_all(one.content) == read_all(other.content)


def _order(path: str) -> list[bytes]:
    """Sort by the bytes of each part, so that a directory stands right before its content."""
    return [part.encode() for part in path.split("/")]


def _add_parents(path: str, placed: dict[str, Entry], facts: Facts) -> None:
    while path := path.rpartition("/")[0]:
        parent = placed.get(path)
        if parent is None:
            placed[path] = facts.directory(path)
        elif parent.kind is not Kind.DIRECTORY:
            raise LayerError(f"`{path}` is a directory and something else at once")


def _lead_hardlinks(placed: dict[str, Entry]) -> None:
    """Let the first path of each set of hard links be the file: readers need it before the rest."""
    groups: dict[str, list[str]] = {}
    for path, entry in placed.items():
        if entry.kind is Kind.HARDLINK:
            groups.setdefault(entry.target, []).append(path)
    for target, paths in groups.items():
        file = placed.get(target)
        if file is None or file.kind is not Kind.FILE:
            raise LayerError(f"`{paths[0]}` is a hard link to `{target}`, which is no file here")
        first, *rest = sorted([target, *paths], key=_order)
        placed[first] = replace(file, path=first)
        for path in rest:
            placed[path] = replace(
                file, path=path, kind=Kind.HARDLINK, target=first, content=Bytes(b"")
            )
