"""Requirements of a model: ``build.python_packages``, or the file of ``build.python_requirements``.

A file is pip's, with all that pip allows there and that can be pinned; or, by its name, a
``pyproject.toml``, a ``pylock.toml`` (PEP 751) or a ``uv.lock``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from cogn.report import Reporter, Where
from cogn.resolver.errors import RequirementsError
from cogn.resolver.requirements.locked import read_pylock, read_uv_lock
from cogn.resolver.requirements.model import EXCLUDED, LockedPackages, Requirements
from cogn.resolver.requirements.pyproject import read_pyproject
from cogn.resolver.requirements.reader import Reader

__all__ = [
    "EXCLUDED",
    "LockedPackages",
    "Requirements",
    "list_requirements",
    "read_requirements",
]

_PYLOCK = re.compile(r"pylock\.([^.]+\.)?toml")


def list_requirements(
    project: Path,
    packages: Sequence[str],
    wheres: Sequence[Where],
    reporter: Reporter,
    *,
    build_sdists: bool = False,
) -> Requirements:
    """Return the requirements of a list of the `project`; `wheres` says where each stands.

    Tells of those of `EXCLUDED`, which are left out. Raises `RequirementsError` for what is not a
    requirement or not supported, and `ProblemsError` for several.
    """
    reader = Reader(project.resolve(), reporter, build_sdists)
    for text, where in zip(packages, wheres, strict=True):
        reader.listed(text, where)
    return reader.result()


def read_requirements(
    directory: Path, name: str, where: Where, reporter: Reporter, *, build_sdists: bool = False
) -> Requirements:
    """Return the requirements of the file `name` below the project's `directory`.

    `where` is the place that names the file. Tells and raises as `list_requirements` does, also for
    a file that cannot be read or is outside of the directory.
    """
    project = directory.resolve()
    path = (project / name).resolve()
    if path.name in {"pyproject.toml", "uv.lock"} or _PYLOCK.fullmatch(path.name):
        if not path.is_relative_to(project):
            raise RequirementsError(f"`{name}` is outside the project's directory", where=where)
        read = {"pyproject.toml": read_pyproject, "uv.lock": read_uv_lock}.get(
            path.name, read_pylock
        )
        inside = path.relative_to(project).as_posix()
        return read(project, inside, where, reporter, build_sdists=build_sdists)
    reader = Reader(project, reporter, build_sdists)
    reader.file(project, name, where)
    return reader.result()
