"""Errors about bytes: where they are, come from and go to.

::

    StoreError (CognError)
    ├── DownloadError       a place did not give the bytes
    │   └── HashError       it gave other bytes than the lock names
    ├── ArchiveError        a Debian archive is out of reach, forged or malformed
    ├── DamagedBlobError    a file of the cache is not what it was
    ├── UvError             uv could not do what was asked
    ├── ImageError          an image cannot be a base: malformed, hostile, of another platform
    └── RegistryError       a container registry refused or failed
        ├── CredentialsError            a credential cannot be read, kept or erased
        ├── RegistryConfigurationError  a mistake in a file that says where registries answer
        └── UnknownBlobError            it misses blobs of a manifest
"""

from __future__ import annotations

from cogn.report import CognError

__all__ = [
    "ArchiveError",
    "CredentialsError",
    "DamagedBlobError",
    "DownloadError",
    "HashError",
    "ImageError",
    "RegistryConfigurationError",
    "RegistryError",
    "StoreError",
    "UnknownBlobError",
    "UvError",
]


class StoreError(CognError):
    """Raised when bytes cannot be had, kept or sent; the base of the classes below."""


class DownloadError(StoreError):
    """Raised when none of the places that may have a file gives it."""


class HashError(DownloadError):
    """Raised when a download differs from what its hash names; nothing of it is kept."""


class ArchiveError(StoreError):
    """Raised when a Debian archive cannot be used: unreachable, not signed, malformed."""


class DamagedBlobError(StoreError):
    """Raised when a file of the cache turns out to have another content than its hash names."""


class UvError(StoreError):
    """Raised when uv reports a failure; the message is uv's own."""


class ImageError(StoreError):
    """Raised when an image of a registry breaks its specification or cannot be a base."""


class RegistryError(StoreError):
    """Raised when a container registry refuses or fails."""


class UnknownBlobError(RegistryError):
    """Raised when a registry refuses a manifest for want of blobs.

    `blobs` are their digests; some registries name none.
    """

    def __init__(self, message: str, *, blobs: frozenset[str]) -> None:
        super().__init__(message)
        self.blobs = blobs


class CredentialsError(RegistryError):
    """Raised when a credential cannot be read, kept or erased; never says what is in it."""


class RegistryConfigurationError(RegistryError):
    """Raised when a file that says where registries answer breaks a rule or cannot be read."""
