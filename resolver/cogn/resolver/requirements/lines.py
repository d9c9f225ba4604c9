"""The lines of a file in pip's format: continued ones joined, without comments."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["has_password", "logical_lines", "without_comment"]

_COMMENT = re.compile(r"(^|\s+)#.*$")
_USER = re.compile(r"://(?P<user>[^/@\s]*)@")
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that say something, with the number of the first that each is made of."""
    parts: list[str] = []
    first = 0
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        if not parts:
            first = number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            parts.append(line[:-1])
            continue
        joined = without_comment("".join([*parts, line]))
        parts = []
        if joined:
            yield first, joined


def without_comment(line: str) -> str:
    """Return the line without its comment and the blanks around it."""
    return _COMMENT.sub("", line).strip()


def has_password(text: str) -> bool:
    """Tell whether a URL in `text` holds a password, other than through ``${NAME}``."""
    for match in _USER.finditer(text):
        _, _, password = match["user"].partition(":")
        if _VARIABLE.sub("", password):
            return True
    return False
