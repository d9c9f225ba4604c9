"""What assembling needs of a project, remembered for as long as the project's files stay the same.

Reading cog.yaml with all its checks takes several times as long as the rest of an assemble that has
nothing to do; most of that is importing what reads and what checks.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from cogn.lockfiles import Lock
from cogn.report import Reporter, Task
from cogn.resolver.root import CONFIG_NAME, SETTINGS_NAME, find_root
from cogn.store import Cache

__all__ = ["FILES", "Brief", "read_brief"]

FILES = (CONFIG_NAME, SETTINGS_NAME, "uv.toml", "pyproject.toml")
"""The files that every project is read from, where they exist; requirements come on top."""

_NOTES = "projects-3"  # another number when another thing is read from the same files
_SETTLED = 2.0
"""Seconds. Times of files may be as coarse: one that just changed may change again unseen."""


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a project that an image is made from, apart from its lock and its source."""

    predictor: str
    gpu: bool
    bytecode: bool
    environment: dict[str, str]
    config: dict[str, Any]
    """cog.yaml as plain data."""
    repository: str | None
    mirrors: dict[str, str]
    registries: dict[str, dict[str, Any]]
    """The table ``registries`` of cogn.toml."""
    inputs: str
    """The digest of the inputs."""

    def is_stale(self, lock: Lock) -> bool:
        """Tell whether the inputs are others than those that `lock` answers."""
        return (self.inputs, self.bytecode) != (lock.inputs, lock.bytecode)


class _Heard(msgspec.Struct, frozen=True, array_like=True):
    """A note or a warning to the person, who is to hear it every time."""

    message: str
    is_warning: bool = False
    hint: str | None = None

    def say(self, reporter: Reporter) -> None:
        if self.is_warning:
            reporter.warn(self.message, hint=self.hint)
        else:
            reporter.note(self.message)


class _Note(msgspec.Struct, frozen=True):
    files: dict[str, str | None]
    """The hash of each file that was read, None where there was none."""
    brief: Brief
    heard: list[_Heard]
    """What reading them gave rise to, in order."""


def read_brief(directory: Path, cache: Cache, reporter: Reporter) -> tuple[Path, Brief]:
    """Return the root of the project that `directory` is in, and its brief.

    Raises what `Project.load` raises. The notes and warnings that reading the project gives rise to
    are given every time.
    """
    root = find_root(directory)
    key = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()
    if (note := _decoded(cache.note(_NOTES, key))) and _hashes(root, note.files) == note.files:
        for heard in note.heard:
            heard.say(reporter)
        return root, note.brief
    from cogn.resolver.project import Project

    begin = time.time()
    listener = _Listener(reporter)
    project = Project.load(root, listener)
    files = _hashes(root, (*FILES, *project.requirements.files))
    if _latest_change(root, files) + _SETTLED < begin:
        cache.set_note(_NOTES, key, _Note(files, project.brief, listener.heard))
    return root, project.brief


class _Listener(Reporter):
    """Passes everything on and remembers what was said."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self.heard: list[_Heard] = []

    def task(self, verb: str, name: str, total: int | None = None) -> Task:
        return self._reporter.task(verb, name, total)

    def note(self, message: str) -> None:
        self.heard.append(_Heard(message))
        self._reporter.note(message)

    def warn(self, message: str, *, hint: str | None = None) -> None:
        self.heard.append(_Heard(message, is_warning=True, hint=hint))
        self._reporter.warn(message, hint=hint)


def _decoded(note: bytes | None) -> _Note | None:
    try:
        return None if note is None else msgspec.json.decode(note, type=_Note)
    except msgspec.DecodeError:  # damaged: as good as none
        return None


def _hashes(root: Path, names: Iterable[str]) -> dict[str, str | None]:
    hashes: dict[str, str | None] = {}
    for name in names:
        try:
            hashes[name] = hashlib.sha256((root / name).read_bytes()).hexdigest()
        except OSError:  # reading the project tells what is wrong, if anything is
            hashes[name] = None
    return hashes


def _latest_change(root: Path, files: dict[str, str | None]) -> float:
    return max((root / name).stat().st_ctime for name, known in files.items() if known)
