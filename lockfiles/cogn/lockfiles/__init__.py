"""The lock: its model, its canonical TOML form, and reading it back with every rule checked."""

from cogn.lockfiles.errors import (
    LockError,
    LockFormatError,
    LockMissingError,
    PlatformMissingError,
)
from cogn.lockfiles.model import (
    FORMAT,
    LOCK_NAME,
    Archive,
    Asked,
    Base,
    BaseLayer,
    Cuda,
    Deb,
    DebianBase,
    Environment,
    ImageBase,
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
    "Asked",
    "Base",
    "BaseLayer",
    "Cuda",
    "Deb",
    "DebianBase",
    "Environment",
    "ImageBase",
    "Lock",
    "LockError",
    "LockFormatError",
    "LockMissingError",
    "Platform",
    "PlatformMissingError",
    "Python",
    "Seal",
    "Wheel",
    "dumps",
    "loads",
    "read",
]
