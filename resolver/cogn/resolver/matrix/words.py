"""How the rows of matrix.toml write their values, so that a row is one readable line."""

from __future__ import annotations

from typing import Annotated

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints

__all__ = ["Capability", "Minor", "Row", "Specifier", "Words", "numbers"]


class Row(BaseModel):
    """A row of matrix.toml: its keys have hyphens, and an unknown one is an error."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=lambda name: name.replace("_", "-")
    )


def _split(value: object) -> object:
    return tuple(value.split()) if isinstance(value, str) else value


def _specifier(value: str) -> str:
    try:
        SpecifierSet(value)
    except InvalidSpecifier as error:
        raise ValueError(str(error)) from None
    return value


Minor = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+$")]
"""A version of two numbers, such as the Python ``3.12`` or the CUDA ``13.2``."""
Capability = Annotated[str, StringConstraints(pattern=r"^\d{1,2}\.\d(\+PTX)?$")]
"""A compute capability; with ``+PTX``, one whose code newer GPUs can translate for themselves."""
Specifier = Annotated[str, AfterValidator(_specifier)]
"""A set of versions as PEP 440 writes it."""
Words = BeforeValidator(_split)
"""Marks a tuple that the file writes as one string, with blanks between the members."""


def numbers(version: str) -> tuple[int, ...]:
    """Return a version of numbers and points in the form that orders it: (12, 6, 3)."""
    return tuple(int(part) for part in version.split("."))
