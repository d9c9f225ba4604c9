"""Asking uv for an interpreter of an exact version."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cogn.store.errors import UvError
from cogn.store.uv import failure, uv_program

__all__ = ["find_python", "installed_python"]


def find_python(version: str) -> Path:
    """Return the CPython of that full version that uv manages, after installing it if need be.

    Interpreters of the system are left alone: distributions patch them. Where uv downloads from is
    the user's own configuration. Raises `UvError` when there is no such interpreter to be had.
    """
    wanted = f"cpython@{version}"
    find = ("find", "--managed-python", "--no-project", "--no-python-downloads", wanted)
    try:
        return Path(_python(*find))
    except UvError:
        _python("install", "--no-bin", "--no-progress", wanted)
    return Path(_python(*find))


def installed_python(version: str) -> Path:
    """Return a CPython of that version, minor or full, of whoever installed it here.

    Raises `UvError` when there is none; nothing is downloaded.
    """
    return Path(_python("find", "--no-project", "--no-python-downloads", f"cpython@{version}"))


def _python(*arguments: str) -> str:
    """Run ``uv python``; return the line that it prints."""
    command = [uv_program(), "python", *arguments, "--color", "never"]
    try:
        result = subprocess.run(command, capture_output=True, check=False)
    except OSError as error:
        raise UvError(f"uv does not start: {error.strerror}") from error
    if result.returncode != 0:
        raise failure(result.stderr.decode(errors="replace"), result.returncode)
    return result.stdout.decode().strip()
