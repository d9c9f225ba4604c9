"""The lock: its model, its canonical TOML form, and reading it back with every rule checked."""

from cogn.lockfiles.errors import LockError, LockFormatError, LockMissingError
from cogn.lockfiles.model import (
    FORMAT,
    LOCK_NAME,
    Archive,
    Base,
    Cuda,
    Deb,
    Lock,
    Platform,
    Python,
    Seal,
    Wheel,
)
from cogn.lockfiles.toml import dumps, loads, read

__all__ = [
    "FORMAT",
    "LOCK_NAME",
    "Archive",
    "Base",
    "Cuda",
    "Deb",
    "Lock",
    "LockError",
    "LockFormatError",
    "LockMissingError",
    "Platform",
    "Python",
    "Seal",
    "Wheel",
    "dumps",
    "loads",
    "read",
]
