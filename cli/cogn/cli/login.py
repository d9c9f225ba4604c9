"""`cogn login` and `cogn logout`: credentials, kept where Docker and podman keep theirs."""

from __future__ import annotations

import sys

import anyio
import click

from cogn.cli.configuration import registry_configuration
from cogn.cli.output import PlainReporter, say
from cogn.store.errors import CredentialsError, RegistryError
from cogn.store.registry import Reference
from cogn.store.registry.credentials import Credential, Credentials
from cogn.store.registry.registries import check_login

__all__ = ["login", "logout", "read_password"]

_LONGEST = 1 << 20


def login(host: str, username: str | None, password: str | None) -> None:
    """Keep a credential that the registry takes, and say where; ask for what is None.

    Raises `RegistryError` when the registry refuses it or is out of reach, and `CredentialsError`
    when it cannot be kept, or there is nobody to ask.
    """
    host = _registry(host)
    if (username is None or password is None) and not sys.stdin.isatty():
        raise CredentialsError(
            "there is no terminal to ask for the username and the password",
            hint="give them with `--username NAME --password-stdin`",
        )
    if username is None:
        username = click.prompt("Username", err=True)
    if password is None:
        password = click.prompt("Password", err=True, hide_input=True)
    if not password:
        raise CredentialsError("the password is empty")
    # RFC 7617 has a colon between them. What is not printable may be no text at all.
    if not username or ":" in username or not username.isprintable():
        raise CredentialsError(f"`{username}` cannot be a username")
    credential = Credential(username, password)
    anyio.run(check_login, host, credential, registry_configuration())
    kept = Credentials.find().store(host, credential)
    if not kept.is_plain:
        say(f"Logged in to `{host}`; `{kept.place}` keeps the password")
        return
    say(f"Logged in to `{host}`")
    PlainReporter().warn(
        f"the password is not encrypted in `{kept.place}`",
        hint="a credential helper keeps it better: name one as `credsStore` in that file",
    )


def logout(host: str) -> None:
    """Remove the credential of a registry from all places that it is found in, and name them.

    Raises `CredentialsError` when a place cannot be read or written.
    """
    host = _registry(host)
    places = Credentials.find().erase(host)
    if places:
        say(f"Logged out of `{host}`: removed from {', '.join(f'`{place}`' for place in places)}")
    else:
        say(f"Not logged in to `{host}`")


def read_password() -> str:
    """Return the password on stdin, without the end of its line.

    Raises `CredentialsError` when it is not text.
    """
    data = sys.stdin.buffer.read(_LONGEST)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = None  # raised below: the exception at hand holds the password
    if text is None:
        raise CredentialsError("the password on stdin is not UTF-8")
    return text.removesuffix("\n").removesuffix("\r")


def _registry(text: str) -> str:
    """Return the registry that `text` names, which may be a URL as for `docker login`."""
    host = text.removeprefix("https://").removeprefix("http://").rstrip("/")
    try:
        reference = Reference.parse(f"{host}/some/repository")
    except RegistryError:
        reference = None
    if reference is None or reference.repository != "some/repository":
        raise RegistryError(
            f"`{text}` is not the name of a registry",
            hint="write it as `registry.example.com` or `localhost:5000`",
        )
    return reference.host
