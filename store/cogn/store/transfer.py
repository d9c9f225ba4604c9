"""One file into the cache, over HTTP or from this machine's disk, checked by its hash."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import anyio.to_thread

from cogn.store.cache import Cache
from cogn.store.errors import DownloadError
from cogn.store.http import Fetcher

__all__ = ["fetch_file", "local_path"]


async def fetch_file(
    url: str, *, sha256: str, name: str, fetcher: Fetcher, size: int | None = None
) -> Path:
    """Return the file in the cache, after fetching it from `url` if it is missing.

    Raises `DownloadError`, and `HashError` for other bytes.
    """
    if path := local_path(url):
        cache = fetcher.cache
        if cache.find(sha256) is None:
            await anyio.to_thread.run_sync(_copy, path, sha256, name, cache)
        return cache.path(sha256)
    return await fetcher.download([url], sha256=sha256, size=size, name=name)


def local_path(url: str) -> Path | None:
    """Return the path that a ``file:`` URL names, None for another URL."""
    parts = urlsplit(url)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


def _copy(path: Path, sha256: str, name: str, cache: Cache) -> None:
    try:
        with path.open("rb") as source, cache.blob(expect=sha256, what=name) as blob:
            shutil.copyfileobj(source, blob, 1 << 20)
    except OSError as error:
        msg = f"cannot read `{path}`: {error.strerror}"
        raise DownloadError(msg) from error
