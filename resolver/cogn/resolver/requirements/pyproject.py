"""``[project.dependencies]`` of a pyproject.toml (PEP 621) as requirements."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from cogn.report import Reporter, Where
from cogn.resolver.errors import ProjectError, RequirementsError
from cogn.resolver.requirements.model import Requirements
from cogn.resolver.requirements.reader import Reader
from cogn.resolver.textfile import read_text, read_toml

__all__ = ["read_pyproject"]


def read_pyproject(
    project: Path, name: str, where: Where, reporter: Reporter, *, build_sdists: bool
) -> Requirements:
    """Return the dependencies of the file `name` below the `project`, without extras and groups.

    Raises `ProjectError` when it cannot be read or has none, `RequirementsError` for a dependency
    that is not supported, and `ProblemsError` for several.
    """
    read_text(project / name, where)  # which says where it is asked for, if it is not there
    content = read_toml(project / name) or {}
    table = content.get("project")
    if not isinstance(table, Mapping):
        raise ProjectError("there is no table `project`", where=Where(name))
    if "dependencies" in table.get("dynamic", ()):
        raise RequirementsError(
            "the dependencies are dynamic: only running the project's build would tell them",
            where=Where(name, key="project.dynamic"),
            hint="write them down as `project.dependencies`, or name a requirements file",
        )
    dependencies = table.get("dependencies", [])
    if not isinstance(dependencies, list) or not all(isinstance(e, str) for e in dependencies):
        raise RequirementsError(
            "expected a list of strings", where=Where(name, key="project.dependencies")
        )
    reader = Reader(project, reporter, build_sdists)
    reader.add_file(name)
    elsewhere = _sources(content)
    for index, text in enumerate(dependencies):
        place = Where(name, key=f"project.dependencies[{index}]")
        if (package := _name(text)) in elsewhere:
            reader.refuse(
                f"`{package}` comes from where `tool.uv.sources` says, which uv's own lock knows",
                place,
                hint="run `uv lock`, and write `python_requirements: uv.lock`",
            )
        else:
            reader.listed(text, place)
    return reader.result()


def _sources(content: Mapping[str, Any]) -> set[str]:
    table = content.get("tool", {}).get("uv", {}).get("sources", {})
    return {canonicalize_name(name) for name in table}


def _name(text: str) -> str | None:
    try:
        return canonicalize_name(Requirement(text).name)
    except InvalidRequirement:
        return None  # which the reader says
