"""What uv found: wheels, and sources that a wheel has to be built from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from packaging.pylock import (
    Package,
    PackageArchive,
    PackageDirectory,
    PackageSdist,
    PackageVcs,
    PackageWheel,
)

from cogn.store.errors import UvError

__all__ = ["Found", "FoundSource", "FoundWheel", "found", "subdirectory_in", "wheels_of"]


@dataclass(frozen=True, slots=True)
class FoundWheel:
    """A wheel that uv found on an index or in a directory."""

    name: str
    version: str
    file: str
    sha256: str
    url: str
    """Where it is now: ``https:``, ``http:`` or ``file:``."""
    size: int | None
    """Bytes, when the index says so."""


@dataclass(frozen=True, slots=True)
class FoundSource:
    """A source archive, or a commit of a Git repository, that a wheel has to be built from."""

    name: str
    url: str
    """Where it is now: ``https:``, ``http:`` or ``file:``; a commit's repository."""
    file: str | None = None
    sha256: str | None = None
    commit: str | None = None
    subdirectory: str | None = None

    def __str__(self) -> str:
        """Return what a person calls it."""
        return self.file or f"{self.name} at commit {(self.commit or '')[:12]}"


Found = FoundWheel | FoundSource


def found(package: Package, chosen: object, directory: Path) -> Found:
    """Return what was chosen for a package of a lock file (PEP 751) that lies in `directory`.

    Raises `UvError` for a directory, whose content nothing pins, and for what has no SHA-256 hash.
    """
    if isinstance(chosen, PackageVcs) and chosen.url is not None:
        return FoundSource(
            name=package.name,
            url=chosen.url,
            commit=chosen.commit_id,
            subdirectory=chosen.subdirectory,
        )
    if not isinstance(chosen, (PackageWheel, PackageSdist, PackageArchive)):
        kind = (
            "a directory" if isinstance(chosen, PackageDirectory) else "a repository on this disk"
        )
        raise UvError(
            f"{package.name} is {kind}, whose content no hash pins",
            hint="build a wheel of it, and require that",
        )
    url, _, fragment = _url(chosen.url, chosen.path, directory).partition("#")
    if isinstance(chosen, PackageArchive):
        file = unquote(PurePosixPath(urlsplit(url).path).name)
    else:
        file = chosen.filename
    sha256 = chosen.hashes.get("sha256")
    if sha256 is None:
        msg = f"the index gives no SHA-256 hash for {file}"
        raise UvError(msg, hint="download it and name its directory in uv's `find-links`")
    if file.endswith(".whl"):
        version = str(package.version) if package.version else file.split("-")[1]
        return FoundWheel(package.name, version, file, sha256, url, chosen.size)
    subdirectory = chosen.subdirectory if isinstance(chosen, PackageArchive) else None
    subdirectory = subdirectory or subdirectory_in(fragment)
    return FoundSource(
        name=package.name, url=url, file=file, sha256=sha256, subdirectory=subdirectory
    )


def subdirectory_in(fragment: str) -> str | None:
    """Return the directory of a source that the fragment of its URL names, in pip's way."""
    return parse_qs(fragment).get("subdirectory", [None])[0]


def wheels_of(packages: Iterable[Package], directory: Path) -> tuple[FoundWheel, ...]:
    """Return all wheels of the packages, for whatever platform; raises as `found` does."""
    every = (
        found(package, each, directory) for package in packages for each in package.wheels or ()
    )
    return tuple(each for each in every if isinstance(each, FoundWheel))


def _url(url: str | None, path: str | None, directory: Path) -> str:
    """Return the URL, or that of a path, relative to `directory`."""
    return (directory / (path or "")).resolve().as_uri() if url is None else url
