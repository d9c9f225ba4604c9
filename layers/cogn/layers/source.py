"""The model's source tree as the entries of the topmost layer."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from cogn.layers.entry import Entry, Slice, check_path
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
        children = sorted(os.scandir(directory), key=lambda child: child.name)
    except OSError as error:
        problems.append(SourceError(f"`{directory}` cannot be read: {error.strerror}"))
        return
    for child in children:
        if child.name in _LEFT_OUT or child.name.endswith(".pyc"):
            continue
        path = Path(child.path)
        relative = path.relative_to(root).as_posix()
        target = f"{SOURCE}/{relative}"
        try:
            target.encode()
        except UnicodeEncodeError:
            problems.append(SourceError(f"`{relative!a}` has a name that is not UTF-8"))
            continue
        if fault := check_path(target):
            problems.append(SourceError(f"`{relative}` {fault}"))
            continue
        status = child.stat(follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            text = path.readlink().as_posix()
            if _leaves(relative, text):
                problems.append(
                    SourceError(
                        f"`{relative}` is a link to `{text}`, outside the source tree",
                        hint="copy what it points to, or remove it",
                    )
                )
            else:
                yield Entry.symlink(target, text)
        elif stat.S_ISDIR(status.st_mode):
            yield Entry.directory(target)
            yield from _walk(root, path, problems)
        elif stat.S_ISREG(status.st_mode):
            executable = bool(status.st_mode & stat.S_IXUSR)
            yield Entry.file(target, Slice(path, 0, status.st_size), executable=executable)
        else:
            problems.append(SourceError(f"`{relative}` is neither file, directory nor link"))


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
