"""httpx, made ready: quick to import, and clients that keep no cookies."""

from __future__ import annotations

import ssl
import sys
from http.cookiejar import CookieJar, DefaultCookiePolicy

# httpx imports its own command line where it can, and rich and pygments with it: that takes longer
# than the rest of it. It does without what cannot be imported.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
import httpx  # noqa: E402

__all__ = ["httpx", "new_client", "system_trust"]

_USER_AGENT = "cogn"
_CONNECT_SECONDS = 20.0
_READ_SECONDS = 60.0


def new_client(
    *, verify: ssl.SSLContext | bool = True, read_seconds: float = _READ_SECONDS
) -> httpx.AsyncClient:
    """Return a client that waits `read_seconds` for the next bytes of an answer.

    It follows no redirects unless a request asks for it, speaks HTTP/1.1 and forgets cookies:
    a server that sets some, such as Harbor, takes a client that returns them for a browser.
    """
    return httpx.AsyncClient(
        verify=verify,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        timeout=httpx.Timeout(read_seconds, connect=_CONNECT_SECONDS, pool=None),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
        headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"},
    )


def system_trust() -> ssl.SSLContext:
    """Return a context that trusts what this machine trusts, and Mozilla's list besides."""
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
