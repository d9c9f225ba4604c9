"""What assembling needs of a project, remembered for as long as the project's files stay the same.

Reading cog.yaml with all its checks takes several times as long as the rest of an assemble that has
nothing to do; most of that is importing what reads and what checks.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec

from cogn.lockfiles import Lock
from cogn.report import Reporter, Task
from cogn.resolver.remembered import Remembered
from cogn.resolver.root import CONFIG_NAME, SETTINGS_NAME, find_root
from cogn.store import Cache
from cogn.store.origins import Origins

__all__ = ["FILES", "Brief", "read_brief"]

FILES = (CONFIG_NAME, SETTINGS_NAME, "uv.toml", "pyproject.toml")
"""The files that every project is read from, where they exist; requirements come on top."""

_NOTES = "projects-6"  # another number when another thing is read from the same files


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a project that an image is made from, apart from its lock and its source."""

    predictor: str
    train: str | None
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
    origins: Origins
    """Where the requirements say that packages come from."""

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


class _Read(msgspec.Struct, frozen=True):
    brief: Brief
    heard: list[_Heard]
    """What reading the project gave rise to, in order."""


def read_brief(directory: Path, cache: Cache, reporter: Reporter) -> tuple[Path, Brief]:
    """Return the root of the project that `directory` is in, and its brief.

    Raises what `Project.load` raises. The notes and warnings that reading the project gives rise to
    are given every time.
    """
    root = find_root(directory)
    remembered = Remembered(cache, _NOTES, _Read)
    if read := remembered.find(root):
        for heard in read.heard:
            heard.say(reporter)
        return root, read.brief
    from cogn.resolver.project import Project

    begin = time.time()
    listener = _Listener(reporter)
    project = Project.load(root, listener)
    files = (*FILES, *project.requirements.files)
    remembered.keep(_Read(project.brief, listener.heard), begin, files, root)
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
