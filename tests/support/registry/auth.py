"""Who may do what: Basic credentials, or Bearer tokens with their own endpoint."""

from __future__ import annotations

import base64
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qs

from support.registry.messages import Request, Response, failure

__all__ = ["Authentication", "Basic", "Bearer"]

_DEFAULT_LIFE = 60
"""Seconds, when an answer does not say `expires_in` (distribution's token specification)."""


class Authentication(Protocol):
    """How a registry knows its clients."""

    def admits(self, request: Request, scopes: list[str]) -> bool:
        """Tell whether the request's credentials are good for all the scopes."""

    def challenge(self, scopes: list[str], *, url: str, elsewhere: str) -> str:
        """Return ``WWW-Authenticate`` for a request that was not admitted."""

    def token(self, request: Request, body: bytes) -> Response:
        """Answer a request to the token endpoint."""

    def revoke(self) -> None:
        """Make all tokens invalid."""


class Basic:
    """User and password with each request."""

    def __init__(self, user: str, password: str) -> None:
        self._authorization = _basic(user, password)

    def admits(self, request: Request, scopes: list[str]) -> bool:
        """Tell whether user and password are right."""
        return request.headers.get("authorization") == self._authorization

    def challenge(self, scopes: list[str], *, url: str, elsewhere: str) -> str:
        """Return the challenge."""
        return 'Basic realm="fake"'

    def token(self, request: Request, body: bytes) -> Response:
        """Refuse: there are no tokens."""
        return failure(404, "NOT_FOUND", "there is no token endpoint")

    def revoke(self) -> None:
        """Do nothing: there are no tokens."""


@dataclass
class _Token:
    granted: frozenset[tuple[str, str]]
    """Pairs of repository and action."""
    expires: float
    requests: int | None


class Bearer:
    """Tokens that are good for the scopes they were asked for, for a time.

    :param identity_token: opens the token endpoint too, with ``grant_type=refresh_token``.
    :param expires_in: seconds that a token is good for; ``None``: 60 s, without being told so.
    :param requests: requests that a token is good for.
    :param access: what the user may do, actions by repository; ``None``: everything. Who gives no
        credentials may pull, as with Docker Hub.
    :param realm: where tokens are; ``{url}`` is the registry and ``{elsewhere}`` its other host.
    :param only_first_scope: grants the first scope alone, as some registries do.
    """

    service = "fake-registry"

    def __init__(
        self,
        user: str = "user",
        password: str = "password",
        *,
        identity_token: str | None = None,
        expires_in: int | None = 300,
        requests: int | None = None,
        access: Mapping[str, set[str]] | None = None,
        realm: str = "{url}/token",
        only_first_scope: bool = False,
    ) -> None:
        self._user, self._password, self._identity_token = user, password, identity_token
        self._expires_in, self._requests = expires_in, requests
        self._access, self._realm, self._only_first = access, realm, only_first_scope
        self._tokens: dict[str, _Token] = {}
        self._lock = threading.Lock()

    def admits(self, request: Request, scopes: list[str]) -> bool:
        """Tell whether the request has a token that is good for all of it."""
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        with self._lock:
            token = self._tokens.get(secret)
            if scheme.lower() != "bearer" or token is None or token.expires < time.monotonic():
                return False
            if token.requests is not None:
                if token.requests == 0:
                    return False
                token.requests -= 1
            return token.granted.issuperset(_parsed(scopes))

    def challenge(self, scopes: list[str], *, url: str, elsewhere: str) -> str:
        """Return the challenge: where a token is, and what it has to be for."""
        realm = self._realm.format(url=url, elsewhere=elsewhere)
        challenge = f'Bearer realm="{realm}",service="{self.service}"'
        return challenge + (f',scope="{" ".join(scopes)}"' if scopes else "")

    def token(self, request: Request, body: bytes) -> Response:
        """Give a token: by ``GET`` with Basic credentials, or by ``POST`` as OAuth 2 has it."""
        if request.method == "GET":
            authorization = request.headers.get("authorization")
            if authorization not in {None, _basic(self._user, self._password)}:
                return failure(401, "UNAUTHORIZED", "wrong user or password")
            form = request.query
            anonymous = authorization is None
        else:
            form = parse_qs(body.decode())
            anonymous = False
            if "client_id" not in form or not self._good(form):
                return Response.of_json({"error": "invalid_grant"}, status=400)
        if form.get("service") != [self.service]:
            return failure(400, "UNSUPPORTED", "the service is another one")
        scopes = " ".join(form.get("scope", [])).split()
        return self._issued(scopes, anonymous=anonymous, oauth=request.method == "POST")

    def revoke(self) -> None:
        """Make all tokens invalid."""
        with self._lock:
            self._tokens.clear()

    def _good(self, form: Mapping[str, list[str]]) -> bool:
        match form.get("grant_type"):
            case ["refresh_token"] if self._identity_token is not None:
                return form.get("refresh_token") == [self._identity_token]
            case ["password"]:
                given = form.get("username"), form.get("password")
                return given == ([self._user], [self._password])
        return False

    def _issued(self, scopes: list[str], *, anonymous: bool, oauth: bool) -> Response:
        wanted = _parsed(scopes[:1] if self._only_first else scopes)
        granted = frozenset(pair for pair in wanted if self._allows(*pair, anonymous=anonymous))
        secret = secrets.token_urlsafe(48)
        life = _DEFAULT_LIFE if self._expires_in is None else self._expires_in
        with self._lock:
            self._tokens[secret] = _Token(granted, time.monotonic() + life, self._requests)
        answer: dict[str, object] = {"access_token" if oauth else "token": secret}
        if self._expires_in is not None:
            answer["expires_in"] = self._expires_in
        return Response.of_json(answer)

    def _allows(self, repository: str, action: str, *, anonymous: bool) -> bool:
        allowed = self._access is None or action in self._access.get(repository, set())
        return allowed and (not anonymous or action == "pull")


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def _parsed(scopes: list[str]) -> set[tuple[str, str]]:
    """Return the pairs of repository and action that scopes name."""
    pairs = set()
    for scope in scopes:
        kind, _, rest = scope.partition(":")
        repository, _, actions = rest.rpartition(":")
        if kind == "repository":
            pairs |= {(repository, action) for action in actions.split(",")}
    return pairs
