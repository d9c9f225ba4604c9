"""Credential helpers: programs that keep credentials, such as ``docker-credential-pass``.

The protocol is that of docker/docker-credential-helpers: the action is the argument, ``get`` and
``erase`` read the server from stdin, ``get`` writes and ``store`` reads a JSON object. Nothing that
a helper prints is ever repeated, because it may hold a secret.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from cogn.report import Where
from cogn.store.errors import CredentialsError

__all__ = ["CredentialHelper"]

_NAME = re.compile(r"[\w.-]+")
_NOT_FOUND = b"credentials not found in native keychain"
_SECONDS = 120.0
"""How long a helper may take: it may ask a person for a passphrase."""


class CredentialHelper:
    """One helper, by the name that a file gives it: what follows ``docker-credential-``.

    Every method raises `CredentialsError` when the helper is missing, fails or takes too long.
    """

    def __init__(self, name: str, file: Path, environ: Mapping[str, str]) -> None:
        self._where = Where(str(file))
        self._environ = environ
        if not _NAME.fullmatch(name):
            raise CredentialsError("names a credential helper that cannot be", where=self._where)
        self.program = f"docker-credential-{name}"

    def get(self, server: str) -> tuple[str, str] | None:
        """Return the username and the secret for `server`, or None when the helper has none."""
        output = self._run("get", server, server)
        if output is None:
            return None
        try:
            answer = json.loads(output)
        except (ValueError, RecursionError):
            answer = None  # raised below: the exception at hand holds what the helper printed
        username, secret = (
            (answer.get("Username", ""), answer.get("Secret", ""))
            if isinstance(answer, dict)
            else (None, None)
        )
        if not isinstance(username, str) or not isinstance(secret, str):
            raise CredentialsError(
                f"`{self.program} get` did not print a credential",
                where=self._where,
                hint=self._advice(server),
            )
        return (username, secret) if username and secret else None

    def store(self, server: str, username: str, secret: str) -> None:
        """Have the helper keep a credential."""
        credential = {"ServerURL": server, "Username": username, "Secret": secret}
        self._run("store", server, json.dumps(credential))

    def erase(self, server: str) -> bool:
        """Have the helper forget a credential; tell whether it had one."""
        return self.get(server) is not None and self._run("erase", server, server) is not None

    def _run(
        self, action: Literal["get", "store", "erase"], server: str, given: str
    ) -> bytes | None:
        """Return what the helper prints, None when it says that it has no such credential."""
        path = shutil.which(self.program, path=self._environ.get("PATH"))
        if path is None:
            raise CredentialsError(
                f"the credential helper `{self.program}` is not installed",
                where=self._where,
                hint="install it, or remove its name from that file",
            )
        try:
            process = subprocess.Popen(
                [path, action],
                env=self._environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            msg = f"cannot start the credential helper `{self.program}`: {error.strerror}"
            raise CredentialsError(msg, where=self._where) from error
        with process:
            try:
                output, _ = process.communicate(given.encode(), timeout=_SECONDS)
                failure = f"failed with status {process.returncode}" if process.returncode else None
            except subprocess.TimeoutExpired:
                process.kill()
                failure = f"did not answer within {_SECONDS:g} s"
        if failure is None:
            return output
        if process.returncode > 0 and output.strip() == _NOT_FOUND:
            return None
        raise CredentialsError(
            f"`{self.program} {action}` {failure}", where=self._where, hint=self._advice(server)
        )

    def _advice(self, server: str) -> str:
        return f"run `echo {server} | {self.program} get` to see what is wrong"
