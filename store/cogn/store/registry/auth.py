"""Authorisation with one registry: RFC 9110's challenges and Docker's token protocol.

A registry answers 401 with a challenge. ``Basic`` wants the credential with every request,
``Bearer`` a token that the realm it names gives for a scope, which is fetched once for each set of
scopes and again before it expires.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import anyio

from cogn.store.errors import RegistryError
from cogn.store.registry.untrusted import json_object

if TYPE_CHECKING:
    from cogn.store.registry.credentials import Credential

__all__ = ["Authorizer", "Challenge", "Lookup", "Scopes", "TokenRequest"]

Scopes = tuple[str, ...]
"""What a token is asked for: ``repository:<name>:pull,push``, the most important first, because
some registries look at no other."""

_SHORTEST_LIFE = 60.0  # seconds; what the token specification assumes without `expires_in`
_USED_LIFE = 0.8
_PARAMETER = re.compile(r'([a-zA-Z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*,?\s*')
_SCHEME = re.compile(r"\s*,?\s*([A-Za-z]+)(?:\s+|$)(?!=)")
_TOKEN = re.compile(r"[\x21-\x7e]+")
_OK = 200


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge of a ``WWW-Authenticate`` header (RFC 9110, 11.6.1)."""

    scheme: str
    """In lower case."""
    parameters: Mapping[str, str]

    @classmethod
    def parse(cls, header: str) -> list[Challenge]:
        """Return the challenges of a header; what cannot be read is left out."""
        challenges = []
        position = 0
        while found := _SCHEME.match(header, position):
            position = found.end()
            parameters = {}
            while parameter := _PARAMETER.match(header, position):
                position = parameter.end()
                quoted = re.sub(r"\\(.)", r"\1", parameter[2] or "")
                parameters[parameter[1].lower()] = quoted or parameter[3] or ""
            challenges.append(cls(found[1].lower(), parameters))
        return challenges


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """How to ask for a token: a GET of `url`, or a POST when there is a `form`."""

    url: str
    authorization: str | None = None
    form: bytes | None = None


Lookup = Callable[[], Awaitable["Credential | None"]]
"""Finds the credential; asked when the registry wants one, and once."""

_Fetch = Callable[[TokenRequest], Awaitable[tuple[int, bytes]]]


@dataclass(frozen=True, slots=True)
class _Token:
    header: str
    renew_at: float


class Authorizer:
    """Knows what goes into ``Authorization`` for each set of scopes at one registry.

    `lookup` finds the credential, `fetch` sends a token request and returns status and body.
    `secrets` are the strings that no message may contain.
    """

    def __init__(self, url: str, lookup: Lookup, fetch: _Fetch) -> None:
        self._url = url
        self._host = urlsplit(url).netloc
        self._lookup: Lookup | None = lookup
        self._credential: Credential | None = None
        self._fetch = fetch
        self._challenge: Challenge | None = None
        self._tokens: dict[Scopes, _Token] = {}
        self._lock = anyio.Lock()
        self.secrets: set[str] = set()

    async def challenged(self, headers: Sequence[str]) -> bool:
        """Take the challenges of a 401 answer; tell whether one of them can be met."""
        await self._look_up()
        known = {each.scheme: each for header in headers for each in Challenge.parse(header)}
        bearer, basic = known.get("bearer"), known.get("basic")
        if bearer is not None and "realm" in bearer.parameters:
            self._challenge = bearer
            return True
        if basic is not None:
            self._challenge = basic
            return self._credential is not None
        return False

    async def header(self, scopes: Scopes) -> str | None:
        """Return the value of ``Authorization``, None where none is wanted or nothing is known.

        Raises `RegistryError` when the token's realm refuses or does not make sense.
        """
        if self._challenge is None:
            return None
        if self._credential is not None and self._credential.is_registry_token:
            return f"Bearer {_checked_token(self._credential.secret, self._host)}"
        if self._challenge.scheme == "basic":
            return None if self._credential is None else f"Basic {_basic(self._credential)}"
        async with self._lock:  # one request for a token, however many wait for it
            token = self._tokens.get(scopes)
            if token is None or token.renew_at <= time.monotonic():
                token = self._tokens[scopes] = await self._new_token(self._challenge, scopes)
            return token.header

    def drop(self, scopes: Scopes, header: str | None) -> None:
        """Forget a token that the registry did not take, unless it was replaced already."""
        token = self._tokens.get(scopes)
        if token is not None and token.header == header:
            del self._tokens[scopes]

    async def _look_up(self) -> None:
        """Find the credential, now that one is wanted."""
        async with self._lock:
            if self._lookup is not None:
                self._credential, self._lookup = await self._lookup(), None
        if self._credential is not None:
            self.secrets |= {self._credential.secret, _basic(self._credential)}

    async def _new_token(self, challenge: Challenge, scopes: Scopes) -> _Token:
        realm = challenge.parameters["realm"]
        self._check_realm(realm)
        status, body = await self._fetch(self._request(realm, challenge, scopes))
        if status != _OK:
            raise self._refused(status)
        return self._token(body)

    def _request(self, realm: str, challenge: Challenge, scopes: Scopes) -> TokenRequest:
        service = challenge.parameters.get("service")
        named = [("service", service)] if service else []
        credential = self._credential
        if credential is not None and credential.is_identity_token:
            fields = [
                ("grant_type", "refresh_token"),
                ("refresh_token", credential.secret),
                ("client_id", "cogn"),
                *named,
                ("scope", " ".join(scopes)),
            ]
            return TokenRequest(realm, form=urlencode(fields).encode())
        query = urlencode([*named, *(("scope", scope) for scope in scopes)])
        url = realm + ("&" if urlsplit(realm).query else "?") + query
        if credential is None:
            return TokenRequest(url)
        return TokenRequest(url, authorization=f"Basic {_basic(credential)}")

    def _token(self, body: bytes) -> _Token:
        answer = json_object(body)
        token = answer.get("token") or answer.get("access_token")
        life = answer.get("expires_in")
        header = _checked_token(token, self._host)
        self.secrets.add(header)
        seconds = float(life) if isinstance(life, int | float) and life > 0 else _SHORTEST_LIFE
        return _Token(f"Bearer {header}", time.monotonic() + seconds * _USED_LIFE)

    def _check_realm(self, realm: str) -> None:
        """Refuse a realm that would have the credential sent in the clear or into this network."""
        try:
            parsed = urlsplit(realm)
            host = parsed.hostname or ""
        except ValueError:
            host = ""
        own = urlsplit(self._url)
        is_same = host == own.hostname
        is_allowed = parsed.scheme == "https" or (parsed.scheme == own.scheme == "http" and is_same)
        if not host or not is_allowed or (_is_inside(host) and not _is_inside(own.hostname or "")):
            raise RegistryError(
                f"`{self._host}` sends for tokens to a place that is not safe to ask",
                hint="its `WWW-Authenticate` header has to name an https URL",
            )

    def _refused(self, status: int) -> RegistryError:
        if status in {400, 401, 403}:
            what = "refused the credentials" if self._credential else "wants credentials"
            return RegistryError(
                f"`{self._host}` {what}",
                hint="log in with `cogn login`, `docker login` or `podman login`",
            )
        return RegistryError(f"the token service of `{self._host}` answered {status}")


def _checked_token(token: object, host: str) -> str:
    """Return a token that can be put into a header."""
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise RegistryError(f"the token for `{host}` is none: it has characters that no token has")
    return token


def _basic(credential: Credential) -> str:
    return base64.b64encode(f"{credential.username}:{credential.secret}".encode()).decode()


def _is_inside(host: str) -> bool:
    """Tell whether a host is an address of this machine or its network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return not address.is_global
