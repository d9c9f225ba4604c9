"""Uploads: where the files of outputs are put, instead of into the answer."""

from __future__ import annotations

import functools
import logging
import pathlib
import urllib.error
import urllib.parse
from dataclasses import dataclass, field

import anyio
import anyio.to_thread

from cogn_runtime.front.files import FileError, mime_type
from cogn_runtime.front.outgoing import Outgoing, shown

__all__ = ["Uploads"]

_TIMEOUT = 25.0
"""Seconds without progress, as with Cog."""
_ATTEMPTS = 4
_FIRST_DELAY = 0.5
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_KEEPING_METHOD = frozenset({307, 308})
_MOST_REDIRECTS = 5
_AT_ONCE = 8

_log = logging.getLogger("cogn.front")


class _RefusedError(Exception):
    """Raised when sending again is of no use."""


@dataclass(frozen=True)
class Uploads:
    """Puts files to URLs that begin with `url`; the name of the file follows."""

    url: str
    outgoing: Outgoing
    limiter: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(_AT_ONCE))

    async def put(self, path: pathlib.Path) -> str:
        """Upload a file and return the URL that its server gives it, else where it was put.

        It is sent again where that may help. Raises FileError.
        """
        for attempt in range(_ATTEMPTS):
            try:
                return await anyio.to_thread.run_sync(
                    functools.partial(self._put, path), limiter=self.limiter, abandon_on_cancel=True
                )
            except (_RefusedError, ValueError) as error:
                raise self._failure(path, error) from error
            except OSError as error:
                _log.warning("cannot upload to %s: %s", shown(self.url), error)
                if attempt == _ATTEMPTS - 1:
                    raise self._failure(path, error) from error
            await anyio.sleep(_FIRST_DELAY * 2.0**attempt)
        raise AssertionError  # the last attempt returns or raises

    def _failure(self, path: pathlib.Path, error: Exception) -> FileError:
        return FileError(f"the output file `{path.name}` cannot be uploaded: {error}")

    def _put(self, path: pathlib.Path) -> str:
        """Send the file once; raises _RefusedError, or OSError when another try may do."""
        url = self.url + urllib.parse.quote(path.name)
        headers = {"Content-Type": mime_type(path.name), "Content-Length": str(path.stat().st_size)}
        for _ in range(_MOST_REDIRECTS):
            try:
                with (
                    path.open("rb") as file,
                    self.outgoing.send("PUT", url, file, headers, _TIMEOUT) as response,
                ):
                    place = response.headers.get("Location")
                    return urllib.parse.urljoin(url, place) if place else _without_query(url)
            except urllib.error.HTTPError as error:
                target = error.headers.get("Location")
                if error.code in _KEEPING_METHOD and target:
                    url = urllib.parse.urljoin(url, target)
                    continue
                if error.code in _TRANSIENT:
                    raise
                raise _RefusedError(f"{error}") from error
        raise _RefusedError("there are too many redirects")


def _without_query(url: str) -> str:
    return urllib.parse.urlsplit(url)._replace(query="", fragment="").geturl()
