"""Reading the small text files of a project: plain and TOML."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from cogn.report import Where
from cogn.resolver.errors import ConfigError, ProjectError

__all__ = ["read_text", "read_toml"]

_LARGEST = 1 << 20


def read_text(path: Path, where: Where, *, limit: int = _LARGEST) -> str:
    """Return the text of a UTF-8 file, without a byte order mark.

    Raises `ProjectError`, at the place `where`, when it is not text, larger than `limit` (in bytes,
    1 MiB unless told) or cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise ProjectError(f"`{path.name}` is larger than {limit >> 20} MiB", where=where)
        return content.decode("utf-8-sig")
    except OSError as error:
        msg = f"cannot read `{path.name}`: {error.strerror}"
        raise ProjectError(msg, where=where) from error
    except UnicodeDecodeError as error:
        raise ProjectError(f"`{path.name}` is not UTF-8", where=where) from error


def read_toml(path: Path) -> dict[str, Any] | None:
    """Return the content of a TOML file, or None when there is none.

    Raises `ConfigError` when it is not TOML, and what `read_text` raises.
    """
    where = Where(path.name)
    if not path.exists():
        return None
    try:
        return tomllib.loads(read_text(path, where))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not valid TOML: {error}", where=where) from error
