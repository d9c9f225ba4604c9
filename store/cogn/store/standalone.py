"""Builds of CPython by python-build-standalone: which ones a list has, and fetching a locked one.

Both follow uv's own variables: ``UV_PYTHON_INSTALL_MIRROR`` is a place where the project's releases
are mirrored, ``UV_PYTHON_DOWNLOADS_JSON_URL`` a list in the form of uv's
``download-metadata.json``. Each may be a ``file:`` URL, the list a plain path too.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote, urlsplit
from urllib.request import url2pathname

import anyio.to_thread
import msgspec

from cogn.store.cache import Cache
from cogn.store.errors import DownloadError
from cogn.store.http import Fetcher, plain_url

__all__ = [
    "DOWNLOADS",
    "MIRROR",
    "LockedPython",
    "StandaloneBuild",
    "fetch_python",
    "listed_builds",
]

MIRROR = "UV_PYTHON_INSTALL_MIRROR"
"""The variable that names a mirror of the releases."""

DOWNLOADS = "UV_PYTHON_DOWNLOADS_JSON_URL"
"""The variable that names a list of builds."""

_RELEASES = "https://github.com/astral-sh/python-build-standalone/releases/download"
_FILE = re.compile(
    r"cpython-(?P<version>3\.\d+\.\d+)\+(?P<release>\d{8})-(?P<machine>x86_64|aarch64)"
    r"-unknown-linux-gnu-install_only_stripped\.tar\.gz"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PLATFORMS = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}
_LARGEST_LIST = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class StandaloneBuild:
    """A build of a list."""

    version: str
    release: str
    """The release of python-build-standalone: a date, as in ``20260814``."""
    platform: str
    """In OCI's terms: ``linux/amd64`` or ``linux/arm64``."""
    file: str
    sha256: str
    url: str


class LockedPython(Protocol):
    """What a lock says about an archive with an interpreter."""

    @property
    def release(self) -> str: ...  # noqa: D102
    @property
    def file(self) -> str: ...  # noqa: D102
    @property
    def sha256(self) -> str: ...  # noqa: D102


class _Download(msgspec.Struct, frozen=True):
    """The keys of an entry of the list that matter here."""

    url: str
    sha256: str | None = None


async def listed_builds(
    fetcher: Fetcher, environment: Mapping[str, str] = os.environ
) -> tuple[StandaloneBuild, ...] | None:
    """Return the builds for Linux with glibc of the list that `environment` names, None without.

    Raises `DownloadError` for a list that cannot be had or read.
    """
    place = environment.get(DOWNLOADS)
    if not place:
        return None
    path = _local_path(place)
    if path is None:
        content = await fetcher.get(place, limit=_LARGEST_LIST)
    else:
        content = await anyio.to_thread.run_sync(_read, path)
    try:
        entries = msgspec.json.decode(content, type=dict[str, _Download])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DownloadError(
            f"the list of Python builds at {plain_url(place)} cannot be read: {error}",
            hint=f"{DOWNLOADS} has to name a JSON file as uv's `download-metadata.json` is",
        ) from error
    return tuple(_builds(entries.values()))


async def fetch_python(
    python: LockedPython, fetcher: Fetcher, environment: Mapping[str, str] = os.environ
) -> Path:
    """Return the archive's file in the cache, after fetching it if need be.

    Raises `DownloadError` when it is nowhere, `HashError` when it came with other bytes.
    """
    if found := fetcher.cache.find(python.sha256):
        return found
    url = await _url(python, fetcher, environment)
    path = _local_path(url)
    if path is not None:
        return await anyio.to_thread.run_sync(_copy, path, python, fetcher.cache)
    try:
        return await fetcher.download([url], sha256=python.sha256, name=python.file)
    except DownloadError as error:
        error.hint = error.hint or f"{MIRROR} may name a mirror of python-build-standalone"
        raise


async def _url(python: LockedPython, fetcher: Fetcher, environment: Mapping[str, str]) -> str:
    """Return where the archive is, as uv would: on the mirror, else where the list has it."""
    below = f"{python.release}/{quote(python.file, safe='')}"
    if mirror := environment.get(MIRROR):
        return f"{mirror.rstrip('/')}/{below}"
    for build in await listed_builds(fetcher, environment) or ():
        if build.sha256 == python.sha256:
            return build.url
    return f"{_RELEASES}/{below}"


def _builds(entries: Iterable[_Download]) -> Iterator[StandaloneBuild]:
    """Yield what of a list is of use: a name says which build it is of, and for what."""
    for entry in entries:
        file = unquote(urlsplit(entry.url).path.rpartition("/")[2])
        match = _FILE.fullmatch(file)
        if match and entry.sha256 and _SHA256.fullmatch(entry.sha256):
            yield StandaloneBuild(
                version=match["version"],
                release=match["release"],
                platform=_PLATFORMS[match["machine"]],
                file=file,
                sha256=entry.sha256,
                url=entry.url,
            )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DownloadError(
            f"the list of Python builds `{path}` cannot be read: {error.strerror}",
            hint=f"{DOWNLOADS} names it",
        ) from error


def _copy(path: Path, python: LockedPython, cache: Cache) -> Path:
    try:
        with path.open("rb") as source, cache.blob(expect=python.sha256, what=python.file) as blob:
            shutil.copyfileobj(source, blob, 1 << 20)
    except OSError as error:
        raise DownloadError(
            f"cannot read `{path}`: {error.strerror}", hint=f"{MIRROR} or {DOWNLOADS} names it"
        ) from error
    return cache.path(python.sha256)


def _local_path(place: str) -> Path | None:
    """Return the path that a place is, None for a URL of a server."""
    parts = urlsplit(place)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    return None if parts.scheme in {"http", "https"} else Path(place)
