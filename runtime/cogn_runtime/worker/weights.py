"""What `setup(weights)` gets: what `COG_WEIGHTS` says, else the directory or file ``weights``."""

from __future__ import annotations

import inspect
import os
import pathlib
import shutil
import tempfile
import typing
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

import cog

__all__ = ["weights_for"]

_DEFAULT = "weights"
_TIMEOUT = 60.0
"""Seconds without a byte."""


def weights_for(setup: Callable[..., object]) -> object:
    """Return the weights in the type that `setup` is annotated to take, None without any.

    A `str` gets what is said as it is, a `File` the open file. Anything else gets a `Path`, that of
    a copy for a URL. Raises OSError or ValueError for what cannot be opened or fetched.
    """
    wanted = _wanted(setup)
    given = os.environ.get("COG_WEIGHTS")
    if not given:
        if not pathlib.Path(_DEFAULT).exists():
            return None
        given = _DEFAULT
    if wanted == {str}:
        return given
    is_url = given.startswith(("http://", "https://"))
    path = _fetched(given) if is_url else cog.Path(given)
    return path.open("rb") if cog.File in wanted else path


def _wanted(setup: Callable[..., object]) -> set[Any]:
    """Return the types that the parameter may have, without None."""
    try:
        hint = typing.get_type_hints(setup).get("weights")
    except Exception:  # noqa: BLE001 - a name that only a type checker knows
        return set()
    parts = typing.get_args(hint) if typing.get_origin(hint) is not None else (hint,)
    if not parts and inspect.isclass(hint):
        parts = (hint,)
    return {part for part in parts if part not in (None, type(None))}


def _fetched(url: str) -> cog.Path:
    name = pathlib.PurePosixPath(urllib.parse.urlsplit(url).path).name or _DEFAULT
    path = cog.Path(tempfile.mkdtemp(prefix="cogn-weights-")) / name
    with (
        urllib.request.urlopen(url, timeout=_TIMEOUT) as response,  # noqa: S310 - http(s) alone
        path.open("wb") as file,
    ):
        shutil.copyfileobj(response, file)
    return path
