"""Finding a project: the directory with the cog.yaml, as Cog looks for it."""

from __future__ import annotations

from pathlib import Path

from cogn.resolver.errors import ProjectError

__all__ = ["CONFIG_NAME", "SETTINGS_NAME", "find_root"]

CONFIG_NAME = "cog.yaml"
"""The file name of Cog's configuration."""

SETTINGS_NAME = "cogn.toml"
"""The file name of cogn's own settings."""

_MOST_PARENTS = 100
"""Cog gives up its search after as many."""


def find_root(directory: Path) -> Path:
    """Return the first of `directory` and its parents that has a cog.yaml.

    Raises `ProjectError` when none has.
    """
    start = directory.absolute()
    for candidate in [start, *start.parents][:_MOST_PARENTS]:
        if (candidate / CONFIG_NAME).is_file():
            return candidate
    raise ProjectError(
        f"{CONFIG_NAME} not found in `{start}` or in any parent directory",
        hint=f"write a {CONFIG_NAME} with a line such as `run: predict.py:Predictor`",
    )
