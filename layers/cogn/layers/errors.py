"""Errors about layers and images.

::

    LayerError (CognError)
    ├── WheelError      a wheel is malformed, hostile or does not fit beside another
    ├── DebError        a .deb package is malformed, hostile or does not fit beside another
    ├── PythonArchiveError  an archive with an interpreter is malformed or hostile
    ├── BytecodeError   there is no interpreter to compile with, or it failed
    ├── SourceError     the source tree cannot be packed
    │   └── ChangedFileError  one of its files is written to meanwhile
    ├── StaleLockError  the lock does not answer today's inputs
    └── SealError       a layer came out differently than the lock's seal says
"""

from __future__ import annotations

from pathlib import Path

from cogn.report import CognError

__all__ = [
    "BytecodeError",
    "ChangedFileError",
    "DebError",
    "LayerError",
    "PythonArchiveError",
    "SealError",
    "SourceError",
    "StaleLockError",
    "WheelError",
]


class LayerError(CognError):
    """Raised when a layer or an image cannot be made; the base of the classes below."""


class WheelError(LayerError):
    """Raised when a wheel breaks its specification, its own RECORD or the tree it goes into."""


class DebError(LayerError):
    """Raised when a .deb breaks its specification or the tree it goes into."""


class PythonArchiveError(LayerError):
    """Raised when an archive with an interpreter is damaged, or holds what no such archive does."""


class BytecodeError(LayerError):
    """Raised when bytecode cannot be compiled with the interpreter that the image has."""


class SourceError(LayerError):
    """Raised when a file of the source tree cannot be packed."""


class ChangedFileError(SourceError):
    """Raised when a file of the source tree is not what it was a moment ago."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"`{path}` changed while it was read", hint="run again when nothing writes to it"
        )


class StaleLockError(LayerError):
    """Raised when the inputs have changed since the lock was written."""


class SealError(LayerError):
    """Raised when a layer differs from what the lock sealed."""
