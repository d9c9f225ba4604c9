"""Patterns of the shell (POSIX.1-2017, XCU 2.13) and the places where one fits a text."""

from __future__ import annotations

import re

from cogn.layers.debian.scripts.errors import Unfollowed

__all__ = ["Characters", "fits", "has_pattern", "plain", "trimmed"]

Characters = tuple[tuple[str, bool], ...]
"""Characters with whether each was quoted: a quoted one stands for itself."""

_LONGEST = 20_000
_CLASSES = {
    "[:alnum:]": "a-zA-Z0-9",
    "[:alpha:]": "a-zA-Z",
    "[:blank:]": " \\t",
    "[:digit:]": "0-9",
    "[:lower:]": "a-z",
    "[:space:]": "\\s",
    "[:upper:]": "A-Z",
}


def plain(characters: Characters) -> str:
    """Return the characters as a text."""
    return "".join(char for char, _ in characters)


def has_pattern(characters: Characters) -> bool:
    """Tell whether some unquoted character makes this a pattern."""
    return any(char in "*?[" and not quoted for char, quoted in characters)


def fits(pattern: Characters, text: str) -> bool:
    """Tell whether a pattern fits all of `text`; a ``/`` is a character like others."""
    units = _units(pattern)
    if len(text) > _LONGEST or len(text) * len(units) > 100 * _LONGEST:
        raise Unfollowed("it compares texts that are too long")
    at = unit = 0
    star, resume = -1, 0
    while at < len(text):
        if unit < len(units) and units[unit] is None:
            star, resume = unit, at
            unit += 1
        elif unit < len(units) and (one := units[unit]) is not None and one.match(text, at):
            at += 1
            unit += 1
        elif star >= 0:
            resume += 1
            at, unit = resume, star + 1
        else:
            return False
    return all(one is None for one in units[unit:])


def trimmed(text: str, pattern: Characters, operator: str) -> str:
    """Return `text` without the beginning (``#``) or the end (``%``) that the pattern fits.

    A doubled operator takes the longest such part, else it is the shortest.
    """
    lengths = range(len(text) + 1) if len(operator) == 1 else range(len(text), -1, -1)
    if len(text) > 1000 and has_pattern(pattern):
        raise Unfollowed("it trims a text that is too long")
    for length in lengths:
        if operator[0] == "#" and fits(pattern, text[:length]):
            return text[length:]
        if operator[0] == "%" and fits(pattern, text[len(text) - length :]):
            return text[: len(text) - length]
    return text


def _units(pattern: Characters) -> list[re.Pattern[str] | None]:
    """Return what fits one character each; None is for any number of characters."""
    units: list[re.Pattern[str] | None] = []
    at = 0
    while at < len(pattern):
        char, quoted = pattern[at]
        at += 1
        if quoted or char not in "*?[":
            units.append(re.compile(re.escape(char)))
        elif char == "*":
            if not units or units[-1] is not None:
                units.append(None)
        elif char == "?":
            units.append(re.compile("(?s:.)"))
        else:
            end = _end_of_set(pattern, at)
            if end < 0:
                units.append(re.compile(re.escape(char)))
            else:
                units.append(_set(plain(pattern[at:end])))
                at = end + 1
    return units


def _end_of_set(pattern: Characters, at: int) -> int:
    text = plain(pattern)
    first = at + text.startswith(("!", "^"), at)
    end = text.find("]", first + 1)
    while end >= 0 and (opened := text.rfind("[:", at, end)) >= 0 and text[end - 1] == ":":
        if text.find(":]", opened) != end - 1:
            break
        end = text.find("]", end + 1)
    return end


def _set(text: str) -> re.Pattern[str]:
    negated = text.startswith(("!", "^"))
    text = text[1:] if negated else text
    pieces = [
        _CLASSES.get(piece) or re.sub(r"([\\\]\[^&~|])", r"\\\1", piece)
        for piece in re.split(r"(\[:[a-z]+:\])", text)
    ]
    try:
        return re.compile(f"[{'^' if negated else ''}{''.join(pieces)}]")
    except re.error as error:
        raise Unfollowed(f"it has the pattern `[{text}]`") from error
