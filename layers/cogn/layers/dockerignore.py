"""`.dockerignore`: which files of a source tree stay out of the image, decided as Docker does.

The specification is the chapter ".dockerignore files" of Docker's documentation of build contexts;
where it is silent, BuildKit's behaviour. It is not gitignore's: a pattern without a slash matches
at the root alone, and an exception reaches into a directory that is left out.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cogn.layers.errors import SourceError
from cogn.report import ProblemsError, Where

__all__ = ["FILE_NAME", "IgnoreRules", "Match", "Pattern", "read_patterns"]

FILE_NAME = ".dockerignore"

_SPECIAL = re.compile(r"[*?\[\]\\]")


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern; `text` is relative to the root, without ``.``, ``..`` and outer slashes."""

    text: str
    is_exception: bool
    regex: re.Pattern[str]

    @classmethod
    def parse(cls, line: str) -> Pattern | None:
        """Return the pattern of a line, or None for a blank line or a comment.

        Raises `ValueError` with what is wrong with the line.
        """
        if line.startswith("#") or not (text := line.strip()):
            return None
        is_exception = text.startswith("!")
        # `normpath` keeps two slashes at the beginning, where POSIX gives them a meaning.
        text = text.removeprefix("!").strip()
        text = posixpath.normpath(re.sub("^//+", "/", text)).removeprefix("/") if text else ""
        if is_exception and not text:
            raise ValueError(f"`{line.strip()}` excepts nothing")
        return cls(text, is_exception, _compiled(text))

    def matches(self, path: str) -> bool:
        """Tell whether the pattern matches `path` itself."""
        return self.regex.fullmatch(path) is not None

    def may_match_below(self, directory: str) -> bool:
        """Tell whether the pattern may match something below `directory`; False is certain."""
        parts, above = self.text.split("/"), directory.split("/")
        for part, name in zip(parts, above, strict=False):
            if "**" in part or "[" in part:  # these match slashes too
                return True
            if part != name and not _SPECIAL.search(part):
                return False
        return len(parts) > len(above)


@dataclass(frozen=True, slots=True)
class Match:
    """What the patterns say about one path; `matched` is what its children are matched with."""

    ignored: bool
    matched: tuple[bool, ...]


class IgnoreRules:
    """Patterns in order: the last one that matches a path, or a directory above it, decides."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self._patterns = tuple(patterns)
        self.root = Match(ignored=False, matched=(False,) * len(self._patterns))
        """The match of the tree's root."""

    def match(self, path: str, parent: Match) -> Match:
        """Return the match of `path`, whose directory has the match `parent`."""
        if not self._patterns:
            return parent
        ignored = False
        matched = []
        for pattern, above in zip(self._patterns, parent.matched, strict=True):
            # A pattern that would change nothing is not looked at, which shows further below: an
            # exception for a directory that is not left out does not count for its children.
            is_match = above or (pattern.is_exception is ignored and pattern.matches(path))
            matched.append(is_match)
            if is_match:
                ignored = not pattern.is_exception
        return Match(ignored, tuple(matched))

    def may_change_below(self, directory: str, *, ignored: bool) -> bool:
        """Tell whether something below a directory may be other than `ignored`, as it is itself."""
        return any(
            pattern.is_exception is ignored and pattern.may_match_below(directory)
            for pattern in self._patterns
        )


def read_patterns(content: bytes) -> list[Pattern]:
    """Return the patterns of a `.dockerignore` file; raises `SourceError` for malformed lines."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError("the file is not UTF-8", where=Where(FILE_NAME)) from error
    patterns = []
    problems = []
    for number, line in enumerate(text.split("\n"), 1):
        try:
            if pattern := Pattern.parse(line):
                patterns.append(pattern)
        except ValueError as error:
            problems.append(SourceError(str(error), where=Where(FILE_NAME, line=number)))
    ProblemsError.raise_if_any(problems)
    return patterns


def _compiled(pattern: str) -> re.Pattern[str]:
    """Return the pattern, Go's `filepath.Match` with ``**`` added, as a regular expression."""
    if pattern.startswith("**") and pattern[2:3] != "/" and not _SPECIAL.search(pattern[2:]):
        # `**.txt` is any path that ends so; with more wildcards, `**` stands for directories alone.
        return re.compile(f".*{re.escape(pattern[2:])}")
    pieces = []
    place = 0
    while place < len(pattern):
        character = pattern[place]
        place += 1
        match character:
            case "*" if pattern.startswith("*", place):
                place += 1 + pattern.startswith("/", place + 1)
                pieces.append("(.*/)?" if place < len(pattern) else ".*")
            case "*":
                pieces.append("[^/]*")
            case "?":
                pieces.append("[^/]")
            case "[":
                piece, place = _class(pattern, place)
                pieces.append(piece)
            case _:
                character, place = _character(pattern, place - 1)
                pieces.append(re.escape(character))
    return re.compile("".join(pieces))


def _class(pattern: str, place: int) -> tuple[str, int]:
    """Return the regular expression of the character class at `place`, and where it ends."""
    negated = pattern.startswith("^", place)
    place += negated
    ranges: list[str] = []
    while not (ranges and pattern.startswith("]", place)):
        if pattern[place : place + 1] in {"-", "]"}:
            raise ValueError(f"`{pattern}` has a character class that is malformed")
        low, place = _character(pattern, place)
        high = low
        if pattern.startswith("-", place):
            if pattern[place + 1 : place + 2] in {"-", "]"}:
                raise ValueError(f"`{pattern}` has a character class that is malformed")
            high, place = _character(pattern, place + 1)
        if high < low:
            raise ValueError(f"`{pattern}` has a range that runs backwards: `{low}-{high}`")
        ranges.append(f"{re.escape(low)}-{re.escape(high)}")
    return f"[{'^' * negated}{''.join(ranges)}]", place + 1


def _character(pattern: str, place: int) -> tuple[str, int]:
    """Return the character at `place`, which a backslash may escape, and where the next begins."""
    if pattern.startswith("\\", place):
        place += 1
    if place >= len(pattern):
        raise ValueError(f"`{pattern}` ends too early")
    return pattern[place], place + 1
