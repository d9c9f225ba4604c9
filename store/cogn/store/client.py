"""httpx, made ready: quick to import, and clients that keep no cookies."""

from __future__ import annotations

import ssl
import sys
from http.cookiejar import CookieJar, DefaultCookiePolicy

# httpx imports its own command line where it can, and rich and pygments with it: that takes longer
# than the rest of it. It does without what cannot be imported.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
import httpx  # noqa: E402

from cogn.store.errors import StoreError  # noqa: E402

__all__ = ["httpx", "new_client", "system_trust"]

_USER_AGENT = "cogn"
_CONNECT_SECONDS = 20.0
_READ_SECONDS = 60.0


def new_client(
    *,
    verify: ssl.SSLContext | bool = True,
    read_seconds: float = _READ_SECONDS,
    uses_proxies: bool = True,
) -> httpx.AsyncClient:
    """Return a client that waits `read_seconds` for the next bytes of an answer.

    It follows no redirects unless a request asks for it, speaks HTTP/1.1 and forgets cookies:
    a server that sets some, such as Harbor, takes a client that returns them for a browser.
    Raises `StoreError` when the proxies of the environment cannot be used.
    """
    try:
        return httpx.AsyncClient(
            verify=verify,
            trust_env=uses_proxies,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            timeout=httpx.Timeout(read_seconds, connect=_CONNECT_SECONDS, pool=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
            headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"},
        )
    except (ImportError, ValueError, httpx.InvalidURL):
        # Without what the error says: a part of the URL, which may be of a password.
        raise StoreError(
            "the proxies of the environment cannot be used",
            hint="HTTP_PROXY, HTTPS_PROXY and ALL_PROXY have to be http or https URLs in which "
            "special characters of a password are percent-encoded",
        ) from None


def system_trust() -> ssl.SSLContext:
    """Return a context that trusts what this machine trusts, and Mozilla's list besides.

    As Docker's and podman's, it takes the certificates of private authorities as they often are.
    """
    import certifi

    context = ssl.create_default_context()
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    context.load_verify_locations(certifi.where())
    return context
