"""dpkg's database (dpkg(1), FILES), so that dpkg, apt and scanners see what is installed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from cogn.layers.content import read
from cogn.layers.deb import DebFile
from cogn.layers.entry import Bytes, Content, Entry

__all__ = ["info", "status"]

_DIRECTORY = "var/lib/dpkg"
_FORMAT = b"1\n"


def info(package: DebFile) -> Iterator[Entry]:
    """Yield what dpkg keeps about one package: its files, and its control files as they are."""
    name = package.fields["Package"]
    if package.fields.get("Multi-Arch") == "same":
        name = f"{name}:{package.fields['Architecture']}"
    paths = ["/.", *(f"/{entry.path}" for entry in package.entries)]
    listing = Bytes("".join(f"{path}\n" for path in paths).encode())
    yield Entry.file(f"{_DIRECTORY}/info/{name}.list", listing)
    for kind, file in package.files.items():
        if kind != "control":
            path = f"{_DIRECTORY}/info/{name}.{kind}"
            yield Entry.file(path, Bytes(file.data), executable=bool(file.mode & 0o100))


def status(packages: Iterable[DebFile]) -> Iterator[Entry]:
    """Yield the files that say that `packages`, and no others, are installed."""
    stanzas = "\n".join(_stanza(package) for package in packages)
    yield Entry.file(f"{_DIRECTORY}/status", Bytes(stanzas.encode()))
    yield Entry.file(f"{_DIRECTORY}/info/format", Bytes(_FORMAT))


def _stanza(package: DebFile) -> str:
    first, newline, rest = package.control.partition("\n")
    conffiles = package.files.get("conffiles")
    lines = [] if conffiles is None else conffiles.data.decode("utf-8", "replace").split("\n")
    hashes = [
        f" {path} {_md5(package.file(path.removeprefix('/')).content)}\n"
        for path in lines
        if path.startswith("/")  # a line may also name a file to remove on upgrades
    ]
    field = f"Conffiles:\n{''.join(hashes)}" if hashes else ""
    return f"{first}{newline}Status: install ok installed\n{rest}{field}"


def _md5(content: Content) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for piece in read(content):
        digest.update(piece)
    return digest.hexdigest()
