"""The OpenPGP certificates with which distributions sign their archives.

``certificates/`` has a directory for each distribution, with files as its own package ships them,
byte for byte: of ``debian-archive-keyring`` the archive, security archive and stable release keys
of Debian 11, 12 and 13; of ``ubuntu-keyring`` the archive key of 2018, which signs Ubuntu 20.04 and
all later ones. The one of 2012 vouches for itself with SHA-1, which pysequoia rightly refuses. Each
release of Debian is signed with the keys of its predecessor too, so one set lasts for years.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from pysequoia import Cert

__all__ = ["archive_keys"]


@cache
def archive_keys(distribution: str) -> tuple[Cert, ...]:
    """Return the certificates that the archives of `distribution`, and no others, are signed with.

    `distribution` is the name of a directory of ``certificates/``: ``debian`` or ``ubuntu``.
    """
    directory = files(__package__).joinpath("certificates", distribution)
    names = sorted(file.name for file in directory.iterdir() if file.name.endswith(".gpg"))
    return tuple(Cert.from_bytes(directory.joinpath(name).read_bytes()) for name in names)
