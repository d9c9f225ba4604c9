"""The model's source tree as the entries of the topmost layers."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from cogn.layers.dockerignore import FILE_NAME, IgnoreRules, Match, Pattern, read_patterns
from cogn.layers.entry import Entry, Slice, check_path
from cogn.layers.errors import SourceError
from cogn.lockfiles import LOCK_NAME
from cogn.report import ProblemsError, Where
from cogn.store.vendor import VENDOR_MARK

__all__ = ["SOURCE", "source_entries"]

SOURCE = "src"
"""The directory of the image that holds the source: Cog's, and the working directory."""

_LEFT_OUT = frozenset(
    {
        ".DS_Store",
        ".cog",
        ".git",
        ".hg",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".svn",
        ".tox",
        ".venv",
        "__pycache__",
    }
)
_LEFT_OUT_SUFFIX = ".pyc"
_UNFINISHED = f".{LOCK_NAME}."
"""What begins like this is a lock that a killed process was writing."""

_NEVER_IN = frozenset(
    {
        ".cogn",  # images of this very source
        LOCK_NAME,  # it is in the image's label, without the seals that change after a build
    }
)

_MARKS = ("oci-layout", VENDOR_MARK)
"""Files that tell directories of cogn's: an image, the files that a lock names."""


def source_entries(root: Path) -> list[Entry]:
    """Return the files, directories and links below `root`, as they go below `SOURCE`.

    What `.dockerignore` names stays out, and so do caches, version control and virtual
    environments, unless an exception of that file names them. Only whether the owner may execute a
    file is taken from its mode, so that a umask changes nothing. Raises `SourceError`, or
    `ProblemsError` with all of them, for what cannot be packed.
    """
    problems: list[SourceError] = []
    choice = _Choice(_patterns(root))
    entries = [Entry.directory(SOURCE), *_walk(root, choice, choice.root, problems)]
    ProblemsError.raise_if_any(problems)
    return entries


def _patterns(root: Path) -> list[Pattern]:
    try:
        return read_patterns((root / FILE_NAME).read_bytes())
    except FileNotFoundError:
        return []
    except OSError as error:
        msg = f"the file cannot be read: {error.strerror}"
        raise SourceError(msg, where=Where(FILE_NAME)) from error


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Whether a path goes into the image, and what its children are judged with."""

    path: str
    is_in: bool
    below_may_be_in: bool
    by_rules: Match
    by_name: Match
    """Whether an exception of the rules names what is left out without them."""
    has_left_out_name: bool
    """Whether the path, or a directory above it, is of those that are left out without rules."""


class _Choice:
    """What of a source tree goes into the image."""

    def __init__(self, patterns: list[Pattern]) -> None:
        self._rules = IgnoreRules(patterns)
        # `!**/*.py` after `*` means the model's code, not a virtual environment's: what is left
        # out without rules comes back only where an exception names it.
        self._named = IgnoreRules(
            replace(pattern, is_exception=False)
            for pattern in patterns
            if pattern.is_exception and any(map(_is_left_out, pattern.text.split("/")))
        )
        self.root = _Verdict("", True, True, self._rules.root, self._named.root, False)

    def verdict(self, name: str, parent: _Verdict) -> _Verdict:
        """Return the verdict on the child `name` of the directory that has the verdict `parent`."""
        path = f"{parent.path}/{name}" if parent.path else name
        by_rules = self._rules.match(path, parent.by_rules)
        by_name = self._named.match(path, parent.by_name)
        has_left_out_name = parent.has_left_out_name or _is_left_out(name)
        is_hidden = has_left_out_name and not by_name.ignored
        is_in = not by_rules.ignored and not is_hidden
        below_may_be_in = is_in or (
            (not by_rules.ignored or self._rules.may_change_below(path, ignored=True))
            and (not is_hidden or self._named.may_change_below(path, ignored=False))
        )
        return _Verdict(path, is_in, below_may_be_in, by_rules, by_name, has_left_out_name)


def _is_left_out(name: str) -> bool:
    return name in _LEFT_OUT or name.endswith(_LEFT_OUT_SUFFIX)


def _walk(
    directory: Path, choice: _Choice, parent: _Verdict, problems: list[SourceError]
) -> Iterator[Entry]:
    try:
        with os.scandir(directory) as scanned:
            children = sorted(scanned, key=lambda child: child.name)
    except OSError as error:
        shown = parent.path or str(directory)
        problems.append(SourceError(f"`{shown}` cannot be read: {error.strerror}"))
        return
    for child in children:
        if not parent.path and (child.name in _NEVER_IN or child.name.startswith(_UNFINISHED)):
            continue
        verdict = choice.verdict(child.name, parent)
        path = directory / child.name
        is_directory = child.is_dir(follow_symlinks=False)
        # What cogn wrote into the source tree is no part of the image.
        if is_directory and any((path / name).is_file() for name in _MARKS):
            continue
        if verdict.is_in:
            try:
                yield _entry(path, verdict.path, child.stat(follow_symlinks=False))
            except OSError as error:
                msg = f"`{verdict.path}` cannot be read: {error.strerror}"
                problems.append(SourceError(msg))
            except SourceError as error:
                problems.append(error)
        if is_directory and verdict.below_may_be_in:
            yield from _walk(path, choice, verdict, problems)


def _entry(path: Path, name: str, status: os.stat_result) -> Entry:
    try:
        name = _utf8(name)
        text = _utf8(path.readlink().as_posix()) if stat.S_ISLNK(status.st_mode) else ""
    except UnicodeDecodeError as error:
        raise SourceError(f"`{path.name!a}` has a name or a target that is not UTF-8") from error
    target = f"{SOURCE}/{name}"
    if fault := check_path(target):
        raise SourceError(f"`{name}` {fault}")
    if stat.S_ISLNK(status.st_mode):
        if _leaves(name, text):
            raise SourceError(
                f"`{name}` is a link to `{text}`, outside the source tree",
                hint=f"copy what it points to, remove it, or name it in `{FILE_NAME}`",
            )
        return Entry.symlink(target, text)
    if stat.S_ISDIR(status.st_mode):
        return Entry.directory(target)
    if stat.S_ISREG(status.st_mode):
        executable = bool(status.st_mode & stat.S_IXUSR)
        return Entry.file(target, Slice(path, 0, status.st_size), executable=executable)
    raise SourceError(f"`{name}` is neither file, directory nor link")


def _utf8(path: str) -> str:
    """Return a path as UTF-8 has it, whatever encoding the locale made Python assume."""
    return os.fsencode(path).decode()


def _leaves(path: str, target: str) -> bool:
    """Tell whether a link at `path` with the text `target` points outside the tree."""
    if target.startswith("/"):
        return True
    parts = path.split("/")[:-1]
    for part in target.split("/"):
        if part == "..":
            if not parts:
                return True
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return False
