"""Regular expressions as grep(1) and sed(1) read them (POSIX.1-2017, XBD 9), by Python's.

Python's engine searches by trying, so what a search may take is counted before it is made.
"""

from __future__ import annotations

import re

from cogn.layers.debian.scripts.budget import Budget
from cogn.layers.debian.scripts.errors import Unfollowed

__all__ = ["Regex"]

_CLASS = re.compile(r"\[:([a-z]+):\]")
_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": " \\t",
    "digit": "0-9",
    "lower": "a-z",
    "space": "\\s",
    "upper": "A-Z",
}
_SWAPPED = frozenset("(){}|+?")


class Regex:
    """A compiled expression."""

    def __init__(self, text: str, *, extended: bool = False, ignore_case: bool = False) -> None:
        """Read an expression, an extended one where said; raises `Unfollowed`."""
        translated, self._repeats = _translated(text, extended)
        try:
            self._compiled = re.compile(translated, re.IGNORECASE if ignore_case else 0)
        except (re.error, RecursionError, OverflowError) as error:
            raise Unfollowed(f"it has the expression `{text}`") from error

    def search(self, line: str, budget: Budget, at: int = 0) -> re.Match[str] | None:
        """Return the first match in a line."""
        budget.work((len(line) + 1) ** min(self._repeats + 1, 12))
        return self._compiled.search(line, at)


def _translated(text: str, extended: bool) -> tuple[str, int]:
    """Return the expression in Python's language, and how many parts of it repeat."""
    out: list[str] = []
    repeats = 0
    groups: list[int] = []
    closed = -1  # how many parts repeat in the group that has just ended
    at = 0
    while at < len(text):
        char = text[at]
        at += 1
        was_closed, closed = closed, -1
        if char == "[":
            piece, at = _bracket(text, at)
            out.append(piece)
            continue
        if char == "\\":
            if at >= len(text):
                raise Unfollowed(f"it has the expression `{text}`")
            char = text[at]
            at += 1
            if char not in _SWAPPED or extended:
                plain = char in "bBwWsS" or char.isdigit()
                out.append(f"\\{char}" if plain else "\n" if char == "n" else re.escape(char))
                continue
        elif char in _SWAPPED and not extended:
            out.append(re.escape(char))
            continue
        if char == "^" and not extended and out and out[-1] not in {"(", "|"}:
            out.append(r"\^")
        elif char == "$" and not extended and at < len(text) and text[at : at + 2] != r"\)":
            out.append(r"\$")
        elif char == "*" and (not out or out[-1] in {"(", "|", "^"}):
            out.append(r"\*")
        elif char == "(":
            groups.append(repeats)
            out.append("(")
        elif char == ")":
            if not groups:
                raise Unfollowed(f"it has the expression `{text}`")
            closed = repeats - groups.pop()
            out.append(")")
        elif char in "*+?{":
            if was_closed > 0:
                raise Unfollowed(f"it has the expression `{text}`, which may take very long")
            repeats += 1
            if char == "{":
                end = text.find("}", at)
                counts = text[at:end].rstrip("\\")
                if end < 0 or not re.fullmatch(r"\d{1,3}(,\d{0,3})?", counts):
                    raise Unfollowed(f"it has the expression `{text}`")
                out.append(f"{{{counts}}}")
                at = end + 1
            else:
                out.append(char)
        else:
            out.append(char if char in "^$.|" else re.escape(char))
    return "".join(out), repeats


def _bracket(text: str, at: int) -> tuple[str, int]:
    """Return the set that starts at `at` in Python's language, and where it ends."""
    start = at
    at += text.startswith("^", at)
    at += text.startswith("]", at)
    pieces = []
    while at < len(text) and text[at] != "]":
        found = _CLASS.match(text, at)
        at = found.end() if found else at + 1
    if at >= len(text):
        raise Unfollowed(f"it has the expression `{text}`")
    inner = text[start:at]
    negated = inner.startswith("^")
    for index, piece in enumerate(_CLASS.split(inner[negated:])):
        if index % 2:
            if piece not in _CLASSES:
                raise Unfollowed(f"it has the expression `{text}`")
            pieces.append(_CLASSES[piece])
        else:
            pieces.append(re.sub(r"([\\\[\]&~|^])", r"\\\1", piece))
    return f"[{'^' if negated else ''}{''.join(pieces)}]", at + 1
