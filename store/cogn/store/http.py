"""Fetching over HTTP: streamed, in parallel, checked by hash before anything is kept."""

from __future__ import annotations

import email.utils
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import anyio
import httpx

from cogn.report import Reporter
from cogn.store.cache import Cache
from cogn.store.errors import DownloadError

__all__ = ["Fetcher", "plain_url"]

_PARALLEL = 16
_ATTEMPTS = 4
_RETRIED_STATUS = frozenset({408, 429, 499, 500, 502, 503, 504, 522})
_LONGEST_WAIT = 30.0
_USER_AGENT = "cogn"

_T = TypeVar("_T")


class _UnavailableError(Exception):
    """One URL did not give what was asked; `may_pass` tells whether asking again can help."""

    def __init__(self, message: str, *, may_pass: bool = False, wait: float | None = None) -> None:
        super().__init__(message)
        self.may_pass = may_pass
        self.wait = wait


class Fetcher:
    """Fetches files into a cache. Make it with `Fetcher.open`."""

    def __init__(self, client: httpx.AsyncClient, cache: Cache, reporter: Reporter) -> None:
        self._client = client
        self._limiter = anyio.CapacityLimiter(_PARALLEL)
        self._reporter = reporter
        self.cache = cache

    @classmethod
    @asynccontextmanager
    async def open(cls, cache: Cache, reporter: Reporter | None = None) -> AsyncIterator[Fetcher]:
        """Give a fetcher whose connections are closed when the block ends."""
        async with httpx.AsyncClient(
            follow_redirects=True,
            timeout=httpx.Timeout(60.0, connect=20.0, pool=None),
            headers={"User-Agent": _USER_AGENT},
        ) as client:
            yield cls(client, cache, reporter or Reporter())

    async def download(
        self, urls: Sequence[str], *, sha256: str, size: int | None = None, name: str
    ) -> Path:
        """Return the cached file with that hash, fetched from the first URL that gives it.

        Raises `DownloadError` when no URL does, `HashError` when one gives other bytes.
        """
        if found := self.cache.find(sha256):
            return found
        failures = []
        async with self._limiter:
            for url in urls:
                try:
                    return await self._download(url, sha256, size, name)
                except _UnavailableError as error:
                    failures.append(f"{plain_url(url)}: {error}")
        msg = f"cannot download {name}"
        raise DownloadError("\n  ".join([msg, *failures]))

    async def get(self, url: str, *, limit: int) -> bytes:
        """Return a small document of at most `limit` bytes; raises `DownloadError`."""
        async with self._limiter:
            try:
                return await self._retried(lambda: self._get(url, limit))
            except _UnavailableError as error:
                msg = f"cannot fetch {plain_url(url)}: {error}"
                raise DownloadError(msg) from error

    async def content_length(self, url: str) -> int:
        """Return the size in bytes that the server states; raises `DownloadError`."""
        async with self._limiter:
            try:
                return await self._retried(lambda: self._content_length(url))
            except _UnavailableError as error:
                msg = f"cannot ask for the size of {plain_url(url)}: {error}"
                raise DownloadError(msg) from error

    async def _download(self, url: str, sha256: str, size: int | None, name: str) -> Path:
        async def attempt() -> Path:
            with (
                self.cache.blob(expect=sha256, what=name) as blob,
                self._reporter.task("Downloading", name, size) as task,
            ):
                async with self._stream("GET", url) as response:
                    # Raw bytes: a server that labels an .xz or a wheel with a Content-Encoding
                    # must not have it decoded on the way.
                    async for chunk in response.aiter_raw(1 << 18):
                        if size is not None and blob.size + len(chunk) > size:
                            raise _UnavailableError(f"more than the {size} bytes expected")
                        blob.write(chunk)
                        task.advance(len(chunk))
            return self.cache.path(sha256)

        return await self._retried(attempt)

    async def _get(self, url: str, limit: int) -> bytes:
        content = bytearray()
        async with self._stream("GET", url) as response:
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) > limit:
                    raise _UnavailableError(f"longer than the {limit} bytes allowed")
        return bytes(content)

    async def _content_length(self, url: str) -> int:
        async with self._stream("HEAD", url) as response:
            length = response.headers.get("Content-Length", "")
            if not length.isdecimal():
                raise _UnavailableError("the server does not state it")
            return int(length)

    @asynccontextmanager
    async def _stream(self, method: str, url: str) -> AsyncIterator[httpx.Response]:
        try:
            async with self._client.stream(
                method, url, headers={"Accept-Encoding": "identity"}
            ) as response:
                if response.status_code != httpx.codes.OK:
                    raise _UnavailableError(
                        f"the server answered {response.status_code} {response.reason_phrase}",
                        may_pass=response.status_code in _RETRIED_STATUS,
                        wait=_retry_after(response.headers.get("Retry-After", "")),
                    )
                yield response
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise _UnavailableError(f"not a URL that can be fetched ({error})") from error
        except httpx.HTTPError as error:
            message = str(error) or type(error).__name__
            raise _UnavailableError(message, may_pass=True) from error

    async def _retried(self, attempt: Callable[[], Awaitable[_T]]) -> _T:
        for count in range(_ATTEMPTS - 1):
            try:
                return await attempt()
            except _UnavailableError as error:
                if not error.may_pass:
                    raise
                await anyio.sleep(min(error.wait or 0.5 * 3**count, _LONGEST_WAIT))
        return await attempt()


def plain_url(url: str) -> str:
    """Return the URL without user, password, query and fragment: fit for a message."""
    parsed = httpx.URL(url)
    return str(parsed.copy_with(userinfo=b"", query=None, fragment=None))


def _retry_after(value: str) -> float | None:
    """Return the seconds that a Retry-After header asks for (RFC 9110, 10.2.3), or None."""
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
