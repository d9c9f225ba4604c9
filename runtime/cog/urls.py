"""Files at URLs, as the types of earlier models had them: inputs have been fetched here."""

from __future__ import annotations

import base64
import binascii
import io
import os
import pathlib
import posixpath
import urllib.parse
from typing import Any

__all__ = ["URLFile", "URLPath", "data_of"]

_TIMEOUT = 10.0
"""Seconds without a byte, as with Cog."""


class URLFile(io.RawIOBase):
    """A file to read at an http(s) URL, which is asked for when it is first read.

    It can be pickled, and is another, unread one when it is loaded. Raises ValueError for other
    URLs.
    """

    def __init__(self, url: str, filename: str | None = None) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in {"http", "https"}:
            raise ValueError(f"URLFile needs an http(s) URL, not {url!r}")
        self.url = url
        self.name = filename or urllib.parse.unquote(posixpath.basename(parts.path))
        self._response: Any = None

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - anything with bytes to write to
        """Read what comes next; raises OSError."""
        if self._response is None:
            import urllib.request  # late: it takes longer than all else here

            agent = os.environ.get("COG_USER_AGENT")
            headers = {"User-Agent": agent} if agent else {}
            request = urllib.request.Request(self.url, headers=headers)  # noqa: S310 - checked
            self._response = urllib.request.urlopen(request, timeout=_TIMEOUT)  # noqa: S310
        count: int = self._response.readinto(buffer)
        return count

    def close(self) -> None:
        """End the connection, if there is one."""
        response, self._response = getattr(self, "_response", None), None
        if response is not None:
            response.close()
        super().close()

    def __reduce__(self) -> tuple[type[URLFile], tuple[str, str]]:
        return URLFile, (self.url, self.name)

    def __repr__(self) -> str:
        return f"URLFile({self.url!r})"


class URLPath(pathlib.PosixPath):
    """The type of a path that is still to be fetched, for `isinstance`: there are none here.

    An input of type `Path` is a file before the model gets it.
    """

    def __new__(cls, *_args: object, **_words: object) -> URLPath:
        """Raise TypeError."""
        raise TypeError("there is no URLPath to be made: use Path.validate(url), which fetches it")


def data_of(url: str) -> bytes:
    """Return the content of a data URL (RFC 2397); raises ValueError for what is none."""
    header, comma, content = url.removeprefix("data:").partition(",")
    if not comma:
        raise ValueError("the data URL has no comma")
    data = urllib.parse.unquote_to_bytes(content)
    if "base64" not in header.split(";")[1:]:
        return data
    try:
        return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(f"the data URL is not base64: {error}") from error
