"""Usernames and passwords for the places of wheels, where uv keeps or reads them.

uv says where a wheel is without its credentials, and cogn fetches it. They are looked for in
addresses of indexes (of the requirements, uv's environment and its configuration files), in uv's
``UV_INDEX_<NAME>_USERNAME`` and ``_PASSWORD``, in netrc, and last in what ``uv auth`` keeps.
"""

from __future__ import annotations

import base64
import json
import netrc
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from uv import find_uv_bin

from cogn.store.origins import Origins, expand

__all__ = ["Logins"]

_VARIABLES = (
    *("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"),
    *("UV_FIND_LINKS",),
)
_KEYS = ("index-url", "extra-index-url", "find-links")
_ADDRESS = re.compile(r"https?://[^\s\"']+")


class Logins:
    """Finds who to be at a place. Nothing is read before that is asked.

    `directory` is the project's, whose configuration of uv counts.
    """

    def __init__(self, directory: Path, origins: Origins) -> None:
        self._directory = directory
        self._origins = origins
        self._told: dict[str, str | None] = {}

    def add(self, url: str) -> str:
        """Return `url` with the user and the password for it, if it has none and some are known."""
        parts = urlsplit(url)
        if parts.scheme not in {"https", "http"} or parts.username is not None:
            return url
        user = self._of_index(url) or self._of_netrc(parts.hostname) or self._of_uv(url)
        if user is None:
            return url
        return urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc}"))

    def _of_index(self, url: str) -> str | None:
        """Return the user of the index whose address has the most in common with `url`."""
        parts = urlsplit(url)
        matching = [
            (len(os.path.commonpath([parts.path or "/", path or "/"])), user)
            for origin, path, user in self._known
            if origin == _origin(url)
        ]
        return max(matching, default=(0, None), key=lambda each: each[0])[1]

    @cached_property
    def _known(self) -> list[tuple[str, str, str]]:
        """The origin, the path and the user of each address that is known with a password."""
        known = []
        for url in self._addresses():
            with suppress(ValueError):
                parts = urlsplit(url)
                if parts.password is not None:
                    known.append((_origin(url), parts.path, parts.netloc.rpartition("@")[0]))
        return known

    def _addresses(self) -> Iterator[str]:
        for line in self._origins.options:
            yield from _ADDRESS.findall(expand(line))
        for variable in _VARIABLES:
            yield from _ADDRESS.findall(os.environ.get(variable, ""))
        for settings in self._settings():
            yield from _addresses(settings)

    def _settings(self) -> Iterator[Mapping[str, Any]]:
        """Yield what uv's configuration files say: the project's and the user's."""
        home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        own = os.environ.get("UV_CONFIG_FILE") or self._directory / "uv.toml"
        yield _read(Path(own))
        yield _read(self._directory / "pyproject.toml").get("tool", {}).get("uv", {})
        yield _read(Path(home, "uv", "uv.toml"))

    def _of_netrc(self, host: str | None) -> str | None:
        file = os.environ.get("NETRC") or Path.home() / ".netrc"
        try:
            found = netrc.netrc(str(file)).authenticators(host or "")
        except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
            return None
        return _user(found[0], found[2]) if found else None

    def _of_uv(self, url: str) -> str | None:
        """Return the user that ``uv auth`` keeps for the place, asked for once an origin."""
        origin = _origin(url)
        if origin not in self._told:
            self._told[origin] = _asked_of_uv(url)
        return self._told[origin]


def _addresses(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield the addresses that uv's settings name, with what its environment says of them."""
    for table in (settings, settings.get("pip", {})):
        for key in _KEYS:
            value = table.get(key, ())
            yield from [value] if isinstance(value, str) else value
    for index in settings.get("index", ()):
        url, name = index.get("url", ""), index.get("name")
        yield url
        variable = "UV_INDEX_" + re.sub(r"[^A-Z0-9]", "_", str(name).upper())
        user, password = (os.environ.get(f"{variable}_{what}") for what in ("USERNAME", "PASSWORD"))
        if user or password:
            parts = urlsplit(url)
            host = parts.netloc.rpartition("@")[2]
            yield urlunsplit(parts._replace(netloc=f"{_user(user or '', password or '')}@{host}"))


def _asked_of_uv(url: str) -> str | None:
    command = (
        *("auth", "helper", "--protocol=bazel"),
        *("--preview-features", "auth-helper"),
        "get",
    )
    try:
        told = subprocess.run(
            [find_uv_bin(), *command],
            input=json.dumps({"uri": url}).encode(),
            capture_output=True,
            check=True,
        )
        (value,) = json.loads(told.stdout)["headers"]["Authorization"]
        scheme, _, credentials = value.partition(" ")
        if scheme.lower() != "basic":
            return None
        user, _, password = base64.b64decode(credentials).decode().partition(":")
    except (OSError, subprocess.CalledProcessError, ValueError, KeyError):
        return None  # it keeps none
    return _user(user, password)


def _read(path: Path) -> dict[str, Any]:
    """Return a TOML file's content; uv itself says what is wrong with it, if anything is."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def _origin(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def _user(name: str, password: str | None) -> str:
    return f"{quote(name, safe='')}:{quote(password or '', safe='')}"
