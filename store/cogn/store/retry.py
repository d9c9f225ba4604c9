"""Asking again: which failures of HTTP may pass, and how long to wait for that."""

from __future__ import annotations

import email.utils
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit, urlunsplit

import anyio

if TYPE_CHECKING:
    import httpx

__all__ = ["UnavailableError", "checked", "plain_url", "retried", "transport_errors"]

_ATTEMPTS = 4
_LONGEST_WAIT = 30.0
_PASSING_STATUS = frozenset({408, 429, 499, 500, 502, 503, 504, 522})

_T = TypeVar("_T")


class UnavailableError(Exception):
    """Raised when one request did not give what was asked; never leaves `cogn.store`.

    `may_pass` tells whether asking again can help, `wait` the seconds that the server asked for,
    `status` its answer, if there was one.
    """

    def __init__(
        self,
        message: str,
        *,
        may_pass: bool = False,
        wait: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.may_pass = may_pass
        self.wait = wait
        self.status = status


async def retried(attempt: Callable[[], Awaitable[_T]]) -> _T:
    """Return what `attempt` returns, trying four times while its failure may pass."""
    for count in range(_ATTEMPTS - 1):
        try:
            return await attempt()
        except UnavailableError as error:
            if not error.may_pass:
                raise
            await anyio.sleep(min(error.wait or 0.5 * 3**count, _LONGEST_WAIT))
    return await attempt()


@asynccontextmanager
async def transport_errors() -> AsyncIterator[None]:
    """Turn what httpx raises about one request into `UnavailableError`."""
    import httpx

    try:
        yield
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise UnavailableError(f"not a URL that can be fetched ({error})") from error
    except httpx.HTTPError as error:
        raise UnavailableError(str(error) or type(error).__name__, may_pass=True) from error


def checked(response: httpx.Response, *expected: int) -> httpx.Response:
    """Return `response` when its status is one of `expected`; raises `UnavailableError`."""
    if response.status_code in expected:
        return response
    raise UnavailableError(
        f"the server answered {response.status_code} {response.reason_phrase}".rstrip(),
        may_pass=response.status_code in _PASSING_STATUS,
        wait=_retry_after(response.headers.get("Retry-After", "")),
        status=response.status_code,
    )


def plain_url(url: str) -> str:
    """Return the URL without user, password, query and fragment: fit for a message."""
    try:
        parsed = urlsplit(url)
        port = f":{parsed.port}" if parsed.port else ""
    except ValueError:
        return "a malformed URL"
    return urlunsplit((parsed.scheme, f"{parsed.hostname or ''}{port}", parsed.path, "", ""))


def _retry_after(value: str) -> float | None:
    """Return the seconds that a Retry-After header asks for (RFC 9110, 10.2.3), or None."""
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
