"""The model's source tree as the entries of the topmost layer."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from cogn.layers.entry import Entry, Kind, Slice, check_path
from cogn.layers.errors import SourceError
from cogn.report import ProblemsError

__all__ = ["SOURCE", "source_entries"]

SOURCE = "src"
"""The directory of the image that holds the source: Cog's, and the working directory."""

_LEFT_OUT = frozenset(
    {
        ".cogn",
        ".DS_Store",
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
        "cogn.lock",  # it is in the image's label, without the seals that change after a build
    }
)


def source_entries(root: Path) -> list[Entry]:
    """Return the files, directories and links below `root`, as they go below `SOURCE`.

    Only whether the owner may execute a file is taken from its mode, so that a umask changes
    nothing. Raises `SourceError`, or `ProblemsError` with all of them, for what cannot be packed.
    """
    problems: list[SourceError] = []
    entries = [Entry.directory(SOURCE), *_walk(root, root, problems)]
    ProblemsError.raise_if_any(problems)
    return entries


def _walk(root: Path, directory: Path, problems: list[SourceError]) -> Iterator[Entry]:
    try:
        children = sorted(directory.iterdir())
    except OSError as error:
        problems.append(SourceError(f"`{directory}` cannot be read: {error.strerror}"))
        return
    for path in children:
        if _is_left_out(path):
            continue
        try:
            entry = _entry(root, path)
        except SourceError as error:
            problems.append(error)
            continue
        yield entry
        if entry.kind is Kind.DIRECTORY:
            yield from _walk(root, path, problems)


def _is_left_out(path: Path) -> bool:
    # An image that was written into the source tree is no part of the next one.
    return path.name in _LEFT_OUT or path.suffix == ".pyc" or (path / "oci-layout").is_file()


def _entry(root: Path, path: Path) -> Entry:
    status = path.lstat()
    try:
        name = _utf8(path.relative_to(root))
        text = _utf8(path.readlink()) if stat.S_ISLNK(status.st_mode) else ""
    except UnicodeDecodeError as error:
        raise SourceError(f"`{path.name!a}` has a name or a target that is not UTF-8") from error
    target = f"{SOURCE}/{name}"
    if fault := check_path(target):
        raise SourceError(f"`{name}` {fault}")
    if stat.S_ISLNK(status.st_mode):
        if _leaves(name, text):
            raise SourceError(
                f"`{name}` is a link to `{text}`, outside the source tree",
                hint="copy what it points to, or remove it",
            )
        return Entry.symlink(target, text)
    if stat.S_ISDIR(status.st_mode):
        return Entry.directory(target)
    if stat.S_ISREG(status.st_mode):
        executable = bool(status.st_mode & stat.S_IXUSR)
        return Entry.file(target, Slice(path, 0, status.st_size), executable=executable)
    raise SourceError(f"`{name}` is neither file, directory nor link")


def _utf8(path: Path) -> str:
    """Return a path as UTF-8 has it, whatever encoding the locale made Python assume."""
    return os.fsencode(path.as_posix()).decode()


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
