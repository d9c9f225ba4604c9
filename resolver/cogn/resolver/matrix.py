"""matrix.toml: facts about CUDA, kept as data so that a new release is a change of one line."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

__all__ = ["Matrix", "load_matrix"]


class Matrix(BaseModel):
    """The content of matrix.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    drivers: dict[int, str]
    """The oldest Linux driver by major version of the CUDA toolkit."""
    extras: dict[str, str]
    """By package, the requirement that makes it bring CUDA."""


@cache
def load_matrix() -> Matrix:
    """Return the facts: packaged beside this module, or at the root of the repository."""
    packaged = Path(__file__).with_name("matrix.toml")
    path = packaged if packaged.is_file() else Path(__file__).parents[3] / "matrix.toml"
    return Matrix.model_validate(tomllib.loads(path.read_text("utf-8")))
