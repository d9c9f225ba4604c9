"""dpkg's database (dpkg(1), FILES), so that dpkg, apt and scanners see what is installed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from debian.deb822 import Deb822

from cogn.layers.debian.deb import DebFile
from cogn.layers.debian.filters import PathFilters
from cogn.layers.entry import Bytes, Entry
from cogn.layers.errors import DebError

if TYPE_CHECKING:
    from cogn.layers.debian.listing import Listing

__all__ = ["STATUS", "conffiles", "info", "status"]

_DIRECTORY = "var/lib/dpkg"
STATUS = f"{_DIRECTORY}/status"
"""The list of packages."""

_FORMAT = b"1\n"


def info(
    package: DebFile, filters: PathFilters, lost: AbstractSet[str] = frozenset()
) -> Iterator[Entry]:
    """Yield what dpkg keeps about one package: its files, and its control files as they are.

    `lost` are the paths that other packages took over. What filters leave out is in the records if
    they are a dpkg's, as that keeps it there; else the records are of what is there, so that
    ``dpkg --verify`` misses nothing.
    """
    name = package.fields["Package"]
    if package.fields.get("Multi-Arch") == "same":
        name = f"{name}:{package.fields['Architecture']}"
    left_out = {
        entry.path
        for entry in package.entries
        if not filters.is_of_dpkg and filters.leaves_out(entry.path, entry.kind)
    }
    paths = [entry.path for entry in package.entries if entry.path not in left_out | lost]
    listing = Bytes("".join(f"/{path}\n" for path in (".", *paths)).encode())
    yield Entry.file(f"{_DIRECTORY}/info/{name}.list", listing)
    for kind, file in package.files.items():
        if kind != "control":
            data = _sums_without(file.data, left_out) if kind == "md5sums" else file.data
            path = f"{_DIRECTORY}/info/{name}.{kind}"
            yield Entry.file(path, Bytes(data), executable=bool(file.mode & 0o100))


def conffiles(package: DebFile) -> list[str]:
    """Return the paths of the package's configuration files (deb-conffiles(5))."""
    return [path for flag, path in _conffiles(package) if not flag]


def _conffiles(package: DebFile) -> Iterator[tuple[str, str]]:
    """Yield the flag and the path on each line, in their order; most have no flag."""
    listed = package.files.get("conffiles")
    text = "" if listed is None else listed.data.decode("utf-8", "replace")
    for line in text.split("\n"):
        flag, slash, path = line.rstrip().partition("/")
        if slash:
            yield flag.strip(), path


def status(
    packages: Iterable[DebFile], listings: Mapping[str, Listing], before: str = ""
) -> Iterator[Entry]:
    """Yield the files that say that `packages` are installed.

    `listings` has what is in each, by its name. `before` is what the list said before; packages
    that were removed may still be on it. Raises `DebError` for a configuration file that is none.
    """
    new = {
        _identity(package.fields): _stanza(package, listings[package.fields["Package"]])
        for package in packages
    }
    old = [f"{stanza}\n" for stanza in re.split(r"\n{2,}", before.strip("\n")) if stanza]
    kept = [stanza for stanza in old if _identity(Deb822(stanza)) not in new]
    text = "".join(f"{stanza}\n" for stanza in (*kept, *new.values()))
    yield Entry.file(STATUS, Bytes(text.encode()))
    yield Entry.file(f"{_DIRECTORY}/info/format", Bytes(_FORMAT))


def _sums_without(md5sums: bytes, paths: AbstractSet[str]) -> bytes:
    """Return a list of MD5 sums (deb-md5sums(5)) without some paths."""
    without = {path.encode() for path in paths}
    lines = md5sums.splitlines(keepends=True)
    return b"".join(line for line in lines if line[34:].rstrip(b"\n") not in without)


def _identity(fields: Mapping[str, str]) -> tuple[str | None, str | None]:
    return fields.get("Package"), fields.get("Architecture")


def _stanza(package: DebFile, listing: Listing) -> str:
    first, newline, rest = package.control.partition("\n")
    hashes = []
    for flag, path in _conffiles(package):
        if flag:  # of a file that is gone, to be removed where an older version had it
            hashes.append(f" /{path} newconffile {flag}\n")
            continue
        item = listing.items.get(path)
        if item is None or item.kind != "file":
            raise DebError(f"`{package.name}` has no file `{path}`")
        hashes.append(f" /{path} {item.text}\n")
    field = f"Conffiles:\n{''.join(hashes)}" if hashes else ""
    return f"{first}{newline}Status: install ok installed\n{rest}{field}"
