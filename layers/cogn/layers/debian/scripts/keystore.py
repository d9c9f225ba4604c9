"""Java's keystore of trusted certificates (JKS, as ``sun.security.provider.JavaKeyStore``)."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping

from cogn.layers.entry import MTIME

__all__ = ["PASSWORD", "keystore"]

PASSWORD = "changeit"  # noqa: S105  # the well-known one, which only guards against damage
"""The password of Debian's keystore."""

_MAGIC = 0xFEEDFEED
_VERSION = 2
_TRUSTED = 2
_SALT = b"Mighty Aphrodite"


def keystore(certificates: Mapping[str, bytes], password: str = PASSWORD) -> bytes:
    """Return a keystore of certificates (DER) by their aliases, in the order of these.

    Every certificate carries the same date, so that the bytes depend on nothing else.
    """
    parts = [struct.pack(">III", _MAGIC, _VERSION, len(certificates))]
    for alias, certificate in sorted(certificates.items()):
        parts += [
            struct.pack(">I", _TRUSTED),
            _text(alias),
            struct.pack(">Q", MTIME * 1000),
            _text("X.509"),
            struct.pack(">I", len(certificate)),
            certificate,
        ]
    data = b"".join(parts)
    digest = hashlib.sha1(password.encode("utf-16-be") + _SALT + data, usedforsecurity=False)
    return data + digest.digest()


def _text(text: str) -> bytes:
    """Return a text as Java's ``writeUTF`` writes it, for texts of the basic plane."""
    data = text.encode()
    return struct.pack(">H", len(data)) + data
