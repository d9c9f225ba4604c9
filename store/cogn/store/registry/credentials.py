"""Credentials of container registries, where Docker and podman keep theirs.

They are in JSON files (containers-auth.json(5), Docker's ``config.json``), or in the credential
helpers that these files name. Nothing here says a secret: not a message, not a representation, not
an exception.
"""

from __future__ import annotations

import base64
import json
import os
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from cogn.report import Where
from cogn.store.errors import CredentialsError
from cogn.store.registry.credential_helper import CredentialHelper
from cogn.store.registry.reference import DOCKER_HUB

__all__ = ["Credential", "Credentials", "Kept"]

_TOKEN_USER = "<token>"  # noqa: S105, what Docker and helpers write for "no user"
_HUB_KEY = "https://index.docker.io/v1/"
_HUB_NAMES = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})
_ROOTS = frozenset({"", "v1", "v2"})
_LARGEST = 4 << 20


@dataclass(frozen=True, slots=True)
class Credential:
    """What proves to a registry who asks."""

    username: str
    secret: str = field(repr=False)
    """A password, or a token."""
    is_registry_token: bool = False
    """Whether the secret is a finished bearer token, Docker's ``registrytoken``."""

    @property
    def is_identity_token(self) -> bool:
        """Whether the secret is an OAuth 2 refresh token, which the token service takes."""
        return self.username == _TOKEN_USER


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a credential is now."""

    place: str
    """The path of a file, or the name of a helper."""
    is_plain: bool
    """Whether everybody who can read the file can read the secret."""


class Credentials:
    """The credentials of the person who runs cogn. Make it with `Credentials.find`.

    Methods raise `CredentialsError` when a file cannot be read or written, or makes no sense, and
    when a helper fails. They may wait for helpers; threads may share an instance.
    """

    def __init__(self, files: Sequence[_AuthFile], target: _AuthFile) -> None:
        self._files = files
        self._target = target
        self._lock = threading.Lock()

    @classmethod
    def find(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Return the credentials in the files that `environ` points to; nothing is read yet.

        They are those of containers-auth.json(5), the first that has an answer counts: the file
        that ``REGISTRY_AUTH_FILE`` names and no other, else podman's two, Docker's and Docker's
        old one.
        """
        if explicit := environ.get("REGISTRY_AUTH_FILE"):
            file = _AuthFile(Path(explicit), environ)
            return cls([file], file)
        home = Path(environ.get("HOME") or Path.home())
        runtime = environ.get("XDG_RUNTIME_DIR")
        configuration = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
        docker = Path(environ.get("DOCKER_CONFIG") or home / ".docker")
        target = _AuthFile(docker / "config.json", environ)
        files = [
            _AuthFile(
                Path(runtime, "containers/auth.json")
                if runtime
                else Path(f"/run/containers/{os.getuid()}/auth.json"),
                environ,
            ),
            _AuthFile(configuration / "containers/auth.json", environ),
            target,
            _AuthFile(home / ".dockercfg", environ, is_legacy=True),
        ]
        return cls(files, target)

    def for_repository(self, host: str, repository: str) -> Credential | None:
        """Return the credential for a repository, or None; files and helpers are asked once."""
        with self._lock:
            found = (file.find(host, repository) for file in self._files)
            return next((each for each in found if each is not None), None)

    def store(self, host: str, credential: Credential) -> Kept:
        """Keep the credential of a registry where Docker and podman find it; return where that is.

        It takes the place of those that were there. Those for parts of the registry, which podman
        knows, stay and still come first.
        """
        configured = (file for file in self._files if file.has_helper_of(host))
        target = next(configured, self._target)
        kept = target.put(host, credential)
        for file in self._files[: self._files.index(target)]:
            file.remove_entries(host)  # would be found before the new one
        return kept

    def erase(self, host: str) -> tuple[str, ...]:
        """Forget the credential of a registry; return the places that had it."""
        return tuple(place for file in self._files for place in file.erase(host))


class _AuthFile:
    """One file with credentials; what it says is read once, when it is first asked."""

    def __init__(self, path: Path, environ: Mapping[str, str], *, is_legacy: bool = False) -> None:
        self._path = path
        self._environ = environ
        self._is_legacy = is_legacy  # ~/.dockercfg is what `auths` is in the others
        self._answers: dict[tuple[str, str], Credential | None] = {}

    def find(self, host: str, repository: str) -> Credential | None:
        """Return the credential for a repository that is here.

        A helper for the registry decides alone. Else the longest key counts, and the helper for
        all comes before keys that name no more than the registry.
        """
        for server in self._spellings(host, self._helpers):
            return self._ask(self._helpers[server], server)
        name = f"{host}/{repository}"
        while "/" in name and not self._is_legacy:
            if found := self._entry(name):
                return found
            name = name.rpartition("/")[0]
        if self._helper_of_all and (found := self._ask(self._helper_of_all, _key_of(host))):
            return found
        entries = map(self._entry, self._spellings(host, self._auths))
        return next((entry for entry in entries if entry), None)

    def has_helper_of(self, host: str) -> bool:
        """Tell whether a helper keeps what there is for this very registry."""
        return bool(self._spellings(host, self._helpers))

    def put(self, host: str, credential: Credential) -> Kept:
        """Keep a credential in the helper that is configured, else in the file."""
        entry = {"auth": _encoded(credential)}
        if credential.is_identity_token:
            entry = {
                "auth": _encoded(Credential(_TOKEN_USER, "")),
                "identitytoken": credential.secret,
            }
        kept = Kept(str(self._path), is_plain=True)
        for server, helper in self._keepers(host)[:1]:
            helper.store(server, credential.username, credential.secret)
            entry = {}  # Docker's mark for what a helper has
            kept = Kept(helper.program, is_plain=False)
        self._write({**self._others(host), _key_of(host): entry})
        self._answers.clear()
        return kept

    def erase(self, host: str) -> list[str]:
        """Remove what there is for a registry; return the places that had something."""
        places = [str(self._path)] if self.remove_entries(host) else []
        places += (helper.program for server, helper in self._keepers(host) if helper.erase(server))
        self._answers.clear()
        return places

    def remove_entries(self, host: str) -> bool:
        """Remove a registry from the file, not from its helpers; tell whether it had a secret."""
        removed = [self._auths[key] for key in self._spellings(host, self._auths)]
        if removed:
            self._write(self._others(host))
        return any(removed)

    @cached_property
    def _content(self) -> dict[str, Any]:
        if not os.access(self._path, os.F_OK):
            return {}
        try:
            with self._path.open("rb") as file:
                data = file.read(_LARGEST + 1)
        except OSError as error:
            raise self._error(f"cannot read the file: {error.strerror}") from error
        line: int | None = None
        content: object = None
        if len(data) <= _LARGEST:
            # The errors hold the file's content, so they end here and another one is raised below.
            try:
                content = json.loads(data.decode("utf-8-sig")) if data.strip() else {}
            except json.JSONDecodeError as error:
                line = error.lineno
            except (ValueError, RecursionError):
                pass
        if not isinstance(content, dict):
            raise CredentialsError(
                "not a JSON object with credentials",
                where=Where(str(self._path), line=line),
                hint="mend the file, or move it away and log in again",
            )
        return content

    @cached_property
    def _auths(self) -> dict[str, Any]:
        return self._content if self._is_legacy else self._table("auths")

    @cached_property
    def _helpers(self) -> dict[str, str]:
        if self._is_legacy:
            return {}
        table = self._table("credHelpers")
        return {server: name for server in table if (name := self._text(table, server))}

    @cached_property
    def _helper_of_all(self) -> str:
        return "" if self._is_legacy else self._text(self._content, "credsStore")

    def _table(self, key: str) -> dict[str, Any]:
        table = self._content.get(key)
        if table is not None and not isinstance(table, dict):
            raise self._error("expected an object", key)
        return table or {}

    def _text(self, table: dict[str, Any], key: str) -> str:
        value = table.get(key)
        if value is not None and not isinstance(value, str):
            raise self._error("expected a string", key)
        return value or ""

    def _entry(self, key: str) -> Credential | None:
        entry = self._auths.get(key)
        if entry is None:
            return None
        if not isinstance(entry, dict):
            raise self._error("expected an object", key)
        if token := self._text(entry, "registrytoken"):
            return Credential("", token, is_registry_token=True)
        if token := self._text(entry, "identitytoken"):
            return Credential(_TOKEN_USER, token)
        username, secret = self._text(entry, "username"), self._text(entry, "password")
        if encoded := self._text(entry, "auth"):
            decoded = _decoded(encoded)
            if decoded is None:
                raise self._error("`auth` is not `username:password` in Base64", key)
            username, secret = decoded
        return Credential(username, secret) if username and secret else None

    def _ask(self, name: str, server: str) -> Credential | None:
        question = (name, server)
        if question not in self._answers:
            found = CredentialHelper(name, self._path, self._environ).get(server)
            self._answers[question] = None if found is None else Credential(*found)
        return self._answers[question]

    def _keepers(self, host: str) -> list[tuple[str, CredentialHelper]]:
        """Return the helpers that may have something for a registry, and what they call it."""
        names = [(server, self._helpers[server]) for server in self._spellings(host, self._helpers)]
        if self._helper_of_all:
            names.append((_key_of(host), self._helper_of_all))
        return [
            (server, CredentialHelper(name, self._path, self._environ)) for server, name in names
        ]

    def _spellings(self, host: str, keys: Iterable[str]) -> list[str]:
        """Return the keys that mean the registry as a whole, those that are written today first."""
        same = (key for key in keys if _registry_of(key, is_url=self._is_legacy) == host)
        return sorted(same, key=lambda key: (key != host, key != _key_of(host)))

    def _others(self, host: str) -> dict[str, Any]:
        gone = set(self._spellings(host, self._auths))
        return {key: entry for key, entry in self._auths.items() if key not in gone}

    def _write(self, auths: dict[str, Any]) -> None:
        content = auths if self._is_legacy else {**self._content, "auths": auths}
        text = json.dumps(content, indent="\t") + "\n"
        try:
            _replace_private(self._path.resolve(), text.encode())
        except (OSError, RuntimeError) as error:  # RuntimeError: links that lead in a circle
            reason = error.strerror if isinstance(error, OSError) else "a link to itself"
            raise self._error(f"cannot write the file: {reason}") from error
        self._content, self._auths = content, auths

    def _error(self, message: str, key: str | None = None) -> CredentialsError:
        return CredentialsError(message, where=Where(str(self._path), key))


def _key_of(host: str) -> str:
    """Return what Docker writes for a registry."""
    return _HUB_KEY if host == DOCKER_HUB else host


def _registry_of(key: str, *, is_url: bool) -> str | None:
    """Return the registry that a key means as a whole, None for a part of one.

    Keys were URLs once. As a path in one says nothing, what is no URL may be a namespace.
    """
    rest = key.removeprefix("https://").removeprefix("http://")
    host, _, path = rest.partition("/")
    if rest == key and not is_url and path.strip("/") not in _ROOTS:
        return None
    return DOCKER_HUB if host in _HUB_NAMES else host


def _encoded(credential: Credential) -> str:
    return base64.b64encode(f"{credential.username}:{credential.secret}".encode()).decode()


def _decoded(auth: str) -> tuple[str, str] | None:
    try:
        text = base64.b64decode("".join(auth.split()), validate=True).decode()
    except ValueError:
        return None
    username, colon, secret = text.partition(":")
    return (username, secret.strip("\0")) if colon else None


def _replace_private(path: Path, content: bytes) -> None:
    """Write a file in one step that nobody but its owner may read."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # has mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
