"""A certificate authority for one test run, made with openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

_EXTENSIONS = """
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
subjectAltName = IP:127.0.0.1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


class Authority:
    """An authority that nobody trusts yet. Its files are in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._config = directory / "openssl.cnf"
        self._config.write_text(_EXTENSIONS)
        self.certificate, self._key = self._made("authority", "authority")

    def issue(self, name: str) -> tuple[Path, Path]:
        """Return the certificate of a server on this machine, and its RSA key."""
        return self._made(name, "server", "-CA", str(self.certificate), "-CAkey", str(self._key))

    def _made(self, name: str, extensions: str, *issuer: str) -> tuple[Path, Path]:
        certificate, key = (self._directory / f"{name}.{kind}" for kind in ("crt", "key"))
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-config", str(self._config), "-extensions", extensions, "-subj", f"/CN={name}"),
                *("-out", str(certificate), "-keyout", str(key), *issuer),
            ],
            check=True,
            capture_output=True,
        )
        return certificate, key
