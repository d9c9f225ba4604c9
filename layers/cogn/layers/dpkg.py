"""dpkg's database (dpkg(1), FILES), so that dpkg, apt and scanners see what is installed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping

from debian.deb822 import Deb822

from cogn.layers.content import read
from cogn.layers.deb import DebFile
from cogn.layers.entry import Bytes, Content, Entry

__all__ = ["STATUS", "info", "status"]

_DIRECTORY = "var/lib/dpkg"
STATUS = f"{_DIRECTORY}/status"
"""The list of packages."""

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


def status(packages: Iterable[DebFile], before: str = "") -> Iterator[Entry]:
    """Yield the files that say that `packages` are installed.

    `before` is what the list said before; packages that were removed may still be on it.
    """
    new = {_identity(package.fields): _stanza(package) for package in packages}
    old = [f"{stanza}\n" for stanza in re.split(r"\n{2,}", before.strip("\n")) if stanza]
    kept = [stanza for stanza in old if _identity(Deb822(stanza)) not in new]
    yield Entry.file(STATUS, Bytes("\n".join([*kept, *new.values()]).encode()))
    yield Entry.file(f"{_DIRECTORY}/info/format", Bytes(_FORMAT))


def _identity(fields: Mapping[str, str]) -> tuple[str | None, str | None]:
    return fields.get("Package"), fields.get("Architecture")


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
