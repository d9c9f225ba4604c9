"""Fetching over HTTP: streamed, in parallel, checked by hash before anything is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from cogn.report import Reporter
from cogn.store.cache import Cache
from cogn.store.errors import DownloadError, OfflineError
from cogn.store.retry import UnavailableError, checked, plain_url, retried, transport_errors

if TYPE_CHECKING:
    import httpx

__all__ = ["Fetcher", "plain_url"]

_OK = 200
_PARALLEL = 16
_VENDOR_HINT = (
    "where there is a network, run `cogn vendor` to make a directory of all that the lock names, "
    "and name it here with `--vendor`; or go without `--offline`"
)


class Fetcher:
    """Fetches files into a cache. Make it with `Fetcher.open`."""

    def __init__(
        self, cache: Cache, reporter: Reporter, stack: AsyncExitStack, *, offline: bool
    ) -> None:
        self._stack = stack
        self._client: httpx.AsyncClient | None = None
        self._limiter = anyio.CapacityLimiter(_PARALLEL)
        self._reporter = reporter
        self.cache = cache
        self.offline = offline

    @classmethod
    @asynccontextmanager
    async def open(
        cls, cache: Cache, reporter: Reporter | None = None, *, offline: bool = False
    ) -> AsyncIterator[Fetcher]:
        """Give a fetcher whose connections are closed when the block ends.

        One that is `offline` opens none: what would need one raises `OfflineError`.
        """
        async with AsyncExitStack() as stack:
            yield cls(cache, reporter or Reporter(), stack, offline=offline)

    def require(self, names: Mapping[str, str]) -> None:
        """Raise `OfflineError` for files that are not in the cache and may not be fetched.

        `names` tells by SHA-256 what each is called in the message, which has all of them.
        """
        if not self.offline:
            return
        missing = [name for sha256, name in names.items() if self.cache.find(sha256) is None]
        if missing:
            raise OfflineError(tuple(dict.fromkeys(missing)), hint=_VENDOR_HINT)

    def require_network(self, name: str) -> None:
        """Raise `OfflineError`, which names what is wanted, unless connections may be opened."""
        if self.offline:
            raise OfflineError((name,))

    async def download(
        self, urls: Sequence[str], *, sha256: str, size: int | None = None, name: str
    ) -> Path:
        """Return the cached file with that hash, fetched from the first URL that gives it.

        Raises `DownloadError` when no URL does, `HashError` when one gives other bytes.
        """
        if found := self.cache.find(sha256):
            return found
        self.require_network(name)
        failures = []
        async with self._limiter:
            for url in urls:
                try:
                    return await retried(partial(self._download, url, sha256, size, name))
                except UnavailableError as error:
                    failures.append(f"{plain_url(url)}: {error}")
        raise DownloadError("\n  ".join([f"cannot download {name}", *failures]))

    async def get(self, url: str, *, limit: int) -> bytes:
        """Return a small document of at most `limit` bytes; raises `DownloadError`."""
        self.require_network(plain_url(url))
        async with self._limiter:
            try:
                return await retried(partial(self._get, url, limit))
            except UnavailableError as error:
                raise DownloadError(f"cannot fetch {plain_url(url)}: {error}") from error

    async def content_length(self, url: str) -> int:
        """Return the size in bytes that the server states; raises `DownloadError`."""
        self.require_network(plain_url(url))
        async with self._limiter:
            try:
                return await retried(partial(self._content_length, url))
            except UnavailableError as error:
                raise DownloadError(
                    f"cannot ask for the size of {plain_url(url)}: {error}"
                ) from error

    async def _download(self, url: str, sha256: str, size: int | None, name: str) -> Path:
        with (
            self.cache.blob(expect=sha256, what=name) as blob,
            self._reporter.task("Downloading", name, size) as task,
        ):
            async with self._stream("GET", url) as response:
                # Raw bytes: a server that labels an .xz or a wheel with a Content-Encoding must
                # not have it decoded on the way.
                async for chunk in response.aiter_raw(1 << 18):
                    if size is not None and blob.size + len(chunk) > size:
                        raise UnavailableError(f"more than the {size} bytes expected")
                    blob.write(chunk)
                    task.advance(len(chunk))
        return self.cache.path(sha256)

    async def _get(self, url: str, limit: int) -> bytes:
        content = bytearray()
        async with self._stream("GET", url) as response:
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) > limit:
                    raise UnavailableError(f"longer than the {limit} bytes allowed")
        return bytes(content)

    async def _content_length(self, url: str) -> int:
        async with self._stream("HEAD", url) as response:
            length = response.headers.get("Content-Length", "")
            if not length.isdecimal():
                raise UnavailableError("the server does not state it")
            return int(length)

    @asynccontextmanager
    async def _stream(self, method: str, url: str) -> AsyncIterator[httpx.Response]:
        client = self._client or await self._connected()
        async with (
            transport_errors(),
            client.stream(method, url, follow_redirects=True) as response,
        ):
            yield checked(response, _OK)

    async def _connected(self) -> httpx.AsyncClient:
        # Late, and when something has to be fetched: most runs find all they need in the cache.
        from cogn.store.client import new_client, system_trust

        client = new_client(verify=system_trust())
        self._client = await self._stack.enter_async_context(client)
        return self._client
