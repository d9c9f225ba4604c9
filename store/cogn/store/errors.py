"""Errors about bytes: where they are, come from and go to.

::

    StoreError (CognError)
    ├── DownloadError       a place did not give the bytes
    │   ├── HashError       it gave other bytes than the lock names
    │   └── OfflineError    none may be asked, and something is not on this machine
    ├── ArchiveError        a Debian archive is out of reach, forged or malformed
    ├── DamagedBlobError    a file of the cache is not what it was
    ├── UvError             uv could not do what was asked
    │   └── SourceOnlyError     packages have no wheels, and may not be built
    ├── BuildError          a wheel could not be built from its source, or came out otherwise
    ├── VendorError         a directory of `cogn vendor` is none, or has wrong files
    ├── ImageError          an image cannot be a base: malformed, hostile, of another platform
    └── RegistryError       a container registry refused or failed
        ├── AbsentError                 it does not have what was asked for
        ├── CredentialsError            a credential cannot be read, kept or erased
        ├── RegistryConfigurationError  a mistake in a file that says where registries answer
        └── UnknownBlobError            it misses blobs of a manifest
"""

from __future__ import annotations

from collections.abc import Sequence

from cogn.report import CognError

__all__ = [
    "AbsentError",
    "ArchiveError",
    "BuildError",
    "CredentialsError",
    "DamagedBlobError",
    "DownloadError",
    "HashError",
    "ImageError",
    "OfflineError",
    "RegistryConfigurationError",
    "RegistryError",
    "SourceOnlyError",
    "StoreError",
    "UnknownBlobError",
    "UvError",
    "VendorError",
]

_MOST_NAMES = 20


class StoreError(CognError):
    """Raised when bytes cannot be had, kept or sent; the base of the classes below."""


class DownloadError(StoreError):
    """Raised when none of the places that may have a file gives it."""


class HashError(DownloadError):
    """Raised when a download differs from what its hash names; nothing of it is kept."""


class OfflineError(DownloadError):
    """Raised when something is not on this machine, and no connection may be opened.

    `names` are what is missing.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        hint: str = "run once without `--offline`: what is fetched then stays in the cache",
    ) -> None:
        if len(names) == 1:
            what = f"this is not on the machine, and `--offline` forbids fetching it: {names[0]}"
        else:
            rest = len(names) - _MOST_NAMES
            what = "\n  ".join(
                [
                    f"these {len(names)} are not on the machine, and `--offline` forbids fetching "
                    "them:",
                    *names[:_MOST_NAMES],
                    *([f"and {rest} more"] if rest > 0 else []),
                ]
            )
        super().__init__(what, hint=hint)
        self.names = names


class ArchiveError(StoreError):
    """Raised when a Debian archive cannot be used: unreachable, not signed, malformed."""


class DamagedBlobError(StoreError):
    """Raised when a file of the cache turns out to have another content than its hash names."""


class UvError(StoreError):
    """Raised when uv reports a failure; the message is uv's own."""


class VendorError(StoreError):
    """Raised when a directory of files for machines without a network cannot be used or made."""


class SourceOnlyError(UvError):
    """Raised when `packages` have no wheels that fit, and may not be built from source."""

    def __init__(self, message: str, *, hint: str | None, packages: tuple[str, ...]) -> None:
        super().__init__(message, hint=hint)
        self.packages = packages


class BuildError(StoreError):
    """Raised when a wheel cannot be built from its source, or differs from the locked one."""


class ImageError(StoreError):
    """Raised when an image of a registry breaks its specification or cannot be a base."""


class RegistryError(StoreError):
    """Raised when a container registry refuses or fails."""


class AbsentError(RegistryError):
    """Raised when a container registry answers that it does not have an image, or a part of it."""


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
