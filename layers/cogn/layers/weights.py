"""The source tree as recipes: a layer for each large file, and on top one for all the others.

Code changes every hour, weights hardly ever: apart from each other, a push after a change of code
sends the code. Files are known by their hashes before any layer is made, so that a layer that the
cache or a registry has costs no more than looking at the file's times.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import anyio.to_thread

from cogn.layers.entry import Entry, Kind, Slice, WholeFile
from cogn.layers.errors import SourceError
from cogn.layers.fingerprint import Fingerprint, FingerprintMemo, take_fingerprint
from cogn.layers.recipe import FilesRecipe
from cogn.layers.source import SOURCE, source_entries
from cogn.report import CognError, ProblemsError, Reporter
from cogn.store import Cache
from cogn.store.tasks import task_group

__all__ = ["read_source", "source_recipes"]

_LARGE = 64_000_000


async def read_source(root: Path, *, cache: Cache, reporter: Reporter) -> list[Entry]:
    """Return the entries of the tree at `root`, the files with their hashes.

    Files that `cache` does not remember are read. Raises `SourceError`, or `ProblemsError` with all
    of them, for what cannot be packed.
    """
    entries = source_entries(root)
    memo = FingerprintMemo(cache, root)
    known = await _Identification(memo, reporter).identified(entries)
    memo.save()
    return known


def source_recipes(
    entries: Sequence[Entry], *, architecture: str, most: int
) -> tuple[FilesRecipe, ...]:
    """Return at most `most` (two or more) recipes for a tree that was read, weights first."""
    large = sorted(filter(_is_large, entries), key=lambda entry: (-entry.content.size, entry.path))
    alone = large if len(large) < most else large[: most - 2]
    groups = [(f"weights {_name(entry)}", [entry]) for entry in alone]
    if together := large[len(alone) :]:
        groups.append(("more weights", together))
    groups.append(("source", [entry for entry in entries if not _is_large(entry)]))
    return tuple(
        FilesRecipe(name=name, architecture=architecture, entries=tuple(group))
        for name, group in groups
    )


class _Identification:
    """Finds out the hashes of files, from the memo or by reading them."""

    def __init__(self, memo: FingerprintMemo, reporter: Reporter) -> None:
        self._memo = memo
        self._reporter = reporter
        self._problems: list[CognError] = []
        self._known: dict[str, Entry] = {}

    async def identified(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return `entries` with files whose hashes are known."""
        unknown = [entry for entry in entries if entry.kind is Kind.FILE and not self._find(entry)]
        async with task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, self._read_small, unknown)
            for entry in filter(_is_large, unknown):
                tasks.start_soon(anyio.to_thread.run_sync, self._read_large, entry)
        ProblemsError.raise_if_any(self._problems)
        return [self._known.get(entry.path, entry) for entry in entries]

    def _find(self, entry: Entry) -> bool:
        try:
            status = _file(entry).stat()
        except OSError:  # reading it tells what is wrong
            return False
        fingerprint = self._memo.find(entry.path, status)
        if fingerprint is None:
            return False
        self._know(entry, status.st_size, fingerprint)
        return True

    def _read_small(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if not _is_large(entry):
                self._read(entry)

    def _read_large(self, entry: Entry) -> None:
        with self._reporter.task("Reading", _name(entry)):
            self._read(entry)

    def _read(self, entry: Entry) -> None:
        try:
            status, fingerprint, at = take_fingerprint(_file(entry), large=_LARGE)
        except SourceError as error:
            self._problems.append(error)
        except OSError as error:
            msg = f"`{_name(entry)}` cannot be read: {error.strerror}"
            self._problems.append(SourceError(msg))
        else:
            self._memo.keep(entry.path, status, fingerprint, at)
            self._know(entry, status.st_size, fingerprint)

    def _know(self, entry: Entry, size: int, fingerprint: Fingerprint) -> None:
        content = WholeFile(_file(entry), size, fingerprint.sha256, fingerprint.compresses)
        self._known[entry.path] = replace(entry, content=content)


def _is_large(entry: Entry) -> bool:
    return entry.kind is Kind.FILE and entry.content.size > _LARGE


def _name(entry: Entry) -> str:
    return entry.path.removeprefix(f"{SOURCE}/")


def _file(entry: Entry) -> Path:
    assert isinstance(entry.content, Slice | WholeFile)
    return entry.content.file
