"""Requests to elsewhere: for files of inputs, webhooks and uploads, on the standard library.

With `deny_private`, no address is connected to that is not the public internet's: the one that a
name stands for is looked at, and it is the one that is used, for redirects as well. A proxy would
look names up itself, so none is used then.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import IO, Any

import cogn_runtime

__all__ = ["AGENT", "Outgoing", "PrivateAddressError", "shown"]

AGENT = f"cogn/{cogn_runtime.__version__}"
"""How the server names itself, unless told otherwise."""


class PrivateAddressError(OSError):
    """Raised when an address is not the public internet's."""


@dataclass(frozen=True)
class Outgoing:
    """What holds for all requests."""

    deny_private: bool = False
    agent: str = AGENT
    """How the server names itself where it gets files."""

    def get(self, url: str, timeout: float) -> AbstractContextManager[http.client.HTTPResponse]:
        """Return the answer to a GET, redirects followed.

        Raises OSError, of which urllib's errors are kinds, or ValueError.
        """
        request = urllib.request.Request(url, headers={"User-Agent": self.agent})  # noqa: S310 - checked
        return self._open(request, timeout, self._following)

    def send(
        self,
        method: str,
        url: str,
        body: bytes | IO[bytes],
        headers: Mapping[str, str],
        timeout: float,
    ) -> AbstractContextManager[http.client.HTTPResponse]:
        """Return the answer to a request with a body; a redirect is an error, as a refusal is.

        Raises OSError, of which urllib's errors are kinds, or ValueError.
        """
        request = urllib.request.Request(  # noqa: S310 - checked
            url, body, {"User-Agent": AGENT, **headers}, method=method
        )
        return self._open(request, timeout, self._staying)

    def _open(
        self, request: urllib.request.Request, timeout: float, opener: urllib.request.OpenerDirector
    ) -> AbstractContextManager[http.client.HTTPResponse]:
        if request.type not in {"http", "https"} or not request.host:
            raise ValueError("it is no http(s) URL")
        try:
            response: http.client.HTTPResponse = opener.open(request, timeout=timeout)
        except urllib.error.URLError as error:
            if isinstance(error.reason, PrivateAddressError):
                raise error.reason from None  # whoever may try again must not
            raise
        except http.client.HTTPException as error:
            raise OSError(f"it does not speak HTTP: {error!r}") from error
        return response

    @cached_property
    def _following(self) -> urllib.request.OpenerDirector:
        return self._opener(_Redirects())

    @cached_property
    def _staying(self) -> urllib.request.OpenerDirector:
        return self._opener(_NoRedirects())

    def _opener(
        self, redirects: urllib.request.HTTPRedirectHandler
    ) -> urllib.request.OpenerDirector:
        # Not `build_opener`, which adds handlers of files and FTP.
        opener = urllib.request.OpenerDirector()
        opener.add_handler(redirects)
        opener.add_handler(urllib.request.HTTPDefaultErrorHandler())
        opener.add_handler(urllib.request.HTTPErrorProcessor())
        opener.add_handler(urllib.request.UnknownHandler())
        if self.deny_private:
            opener.add_handler(_PublicHTTP())
            opener.add_handler(_PublicHTTPS())
        else:
            opener.add_handler(urllib.request.ProxyHandler())
            opener.add_handler(urllib.request.HTTPHandler())
            opener.add_handler(urllib.request.HTTPSHandler())
        return opener


def shown(url: str) -> str:
    """Return a URL for the log, without what may be secret in it."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return "a URL that cannot be read"
    return f"{parts.scheme}://{parts.hostname}{parts.path}"


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,  # noqa: ANN401 - as the base class has it
        newurl: str,
    ) -> urllib.request.Request | None:
        """Follow those to http(s) alone; the base class knows FTP too."""
        if not newurl.startswith(("http://", "https://")):
            raise OSError(f"it redirects to what is no http(s) URL: {shown(newurl)}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,  # noqa: ANN401 - as the base class has it
        newurl: str,
    ) -> None:
        """Follow none: what was sent must not turn into a GET somewhere else."""


def _connect_to_public(host: str, port: int, timeout: float | None) -> socket.socket:
    """Return a connection to one of the addresses that `host` stands for; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for *_, address in found:
        ip = ipaddress.ip_address(str(address[0]).partition("%")[0])
        mapped = getattr(ip, "ipv4_mapped", None)
        checked = ip if mapped is None else mapped
        if not checked.is_global or checked.is_multicast:
            raise PrivateAddressError(f"{host} is at {ip}, which is no public address")
    failure: OSError | None = None
    for family, kind, protocol, _, address in found:
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(timeout)
        try:
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure or OSError(f"{host} has no address")


class _PublicConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = _connect_to_public(self.host, self.port, self.timeout)


class _PublicSecureConnection(http.client.HTTPSConnection):
    def connect(self) -> None:
        plain = _connect_to_public(self.host, self.port, self.timeout)
        context = ssl.create_default_context()
        self.sock = context.wrap_socket(plain, server_hostname=self.host)


class _PublicHTTP(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_PublicConnection, req)


class _PublicHTTPS(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_PublicSecureConnection, req)
