"""Errors about lock files.

::

    LockError (CognError)
    ├── LockMissingError        there is no lock file
    ├── PlatformMissingError    the lock does not hold a platform
    └── LockFormatError         the file is not a lock that this version reads
"""

from __future__ import annotations

from cogn.report import CognError

__all__ = ["LockError", "LockFormatError", "LockMissingError", "PlatformMissingError"]


class LockError(CognError):
    """Raised when a lock file cannot be used; the base of the classes below."""


class LockMissingError(LockError):
    """Raised when a command needs a lock file and there is none."""


class PlatformMissingError(LockError):
    """Raised when an image is wanted for a platform that the lock is not for."""


class LockFormatError(LockError):
    """Raised when a lock file is not valid TOML or breaks a rule of the lock format."""
