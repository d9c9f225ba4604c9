"""The OpenPGP certificates with which Debian signs its archives.

``certificates/`` holds them as the package ``debian-archive-keyring`` ships them, byte for byte:
the archive, security archive and stable release keys of Debian 12 and 13. Each release is signed
with the keys of its predecessor too, so one set lasts for years.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from pysequoia import Cert

__all__ = ["archive_keys"]


@cache
def archive_keys() -> tuple[Cert, ...]:
    """Return the certificates that an InRelease file of a Debian archive is checked against."""
    directory = files(__package__).joinpath("certificates")
    names = sorted(file.name for file in directory.iterdir() if file.name.endswith(".gpg"))
    return tuple(Cert.from_bytes(directory.joinpath(name).read_bytes()) for name in names)
