"""Asking again: which failures of HTTP may pass, and how long to wait for that."""

from __future__ import annotations

import email.utils
import random
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit, urlunsplit

import anyio

if TYPE_CHECKING:
    import httpx

__all__ = [
    "UnavailableError",
    "checked",
    "failure",
    "pause",
    "plain_url",
    "retried",
    "transport_errors",
]

_ATTEMPTS = 5
_FIRST_WAIT = 0.4  # seconds, as below
_LONGEST_WAIT = 120.0
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
    """Return what `attempt` returns, trying five times while its failure may pass."""
    failures = 0
    while True:
        try:
            return await attempt()
        except UnavailableError as error:
            failures += 1
            await pause(error, failures)


async def pause(error: UnavailableError, failures: int) -> None:
    """Wait before trying again after so many failures; raises `error` when that is of no use.

    The wait grows each time, or is what the server asks for, unless that is too long.
    """
    if not error.may_pass or failures >= _ATTEMPTS or (error.wait or 0.0) > _LONGEST_WAIT:
        raise error
    # Not all at the same moment, those whom a server turned away together.
    wait = _FIRST_WAIT * 3 ** (failures - 1) * random.uniform(0.7, 1.3)  # noqa: S311
    await anyio.sleep(wait if error.wait is None else error.wait)


@asynccontextmanager
async def transport_errors() -> AsyncIterator[None]:
    """Turn what httpx raises about one request into `UnavailableError`."""
    from cogn.store.client import httpx

    try:
        yield
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise UnavailableError(f"not a URL that can be fetched ({error})") from error
    except httpx.HTTPError as error:
        may_pass = not any(map(_is_final, _causes(error)))
        raise UnavailableError(str(error) or type(error).__name__, may_pass=may_pass) from error


def checked(response: httpx.Response, *expected: int) -> httpx.Response:
    """Return `response` when its status is one of `expected`; raises `UnavailableError`."""
    if response.status_code in expected:
        return response
    raise failure(response.status_code, response.reason_phrase, response.headers)


def failure(status: int, reason: str, headers: Mapping[str, str]) -> UnavailableError:
    """Return the error that says what a server answered."""
    return UnavailableError(
        f"the server answered {status} {reason}".rstrip(),
        may_pass=status in _PASSING_STATUS,
        wait=_retry_after(headers.get("Retry-After", "")),
        status=status,
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_final(error: BaseException) -> bool:
    """Tell whether there is no host of that name, or it is not the one that it says it is."""
    if isinstance(error, socket.gaierror):
        return error.errno == socket.EAI_NONAME
    return isinstance(error, ssl.SSLCertVerificationError)


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
