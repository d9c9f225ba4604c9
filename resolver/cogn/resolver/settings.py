"""cogn.toml: what only cogn knows, beside cog.yaml, whose keys belong to Cog."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from cogn.report import Where
from cogn.resolver.textfile import read_toml
from cogn.resolver.validation import config_error, fault
from cogn.resolver.yamlfile import Key, dotted
from cogn.store import RegistryError
from cogn.store.registry import Reference

__all__ = ["Archives", "Registry", "Settings", "read_settings"]

_OWN_BASE = "debian"
"""What stands for the base that cogn makes itself; the image of that name has a tag."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PLACE = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]+)?(/[a-z0-9._-]+)*")


def _http_url(value: str) -> str:
    if not value.startswith(("https://", "http://")):
        raise fault(f"must be an https or http URL, not `{value}`")
    return value


def _place(value: str) -> str:
    if not _PLACE.fullmatch(value):
        raise fault(
            f"`{value}` is not a place in a registry",
            hint="write `registry.example.com:5000` or `registry.example.com/namespace`",
        )
    return value


def _prefix(value: str) -> str:
    return value if re.fullmatch(r"\*(\.[A-Za-z0-9-]+)+", value) else _place(value)


def _base(value: str) -> str | None:
    if value == _OWN_BASE:
        return None
    try:
        Reference.parse(value)
    except RegistryError as error:
        raise fault(
            error.message, hint="write `debian:trixie-slim`, `registry.example.com/team/base:1`"
        ) from error
    return value


_KEYS = (
    *("archives", "base", "bytecode", "registries"),
    *("debian", "debian-security"),
    *("insecure", "location", "mirrors"),
)
_Url = Annotated[str, AfterValidator(_http_url)]
_Place = Annotated[str, AfterValidator(_place)]
_Prefix = Annotated[str, AfterValidator(_prefix)]


class Archives(BaseModel):
    """The table ``archives``: mirrors of Debian's archives."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    debian: _Url | None = None
    debian_security: Annotated[_Url | None, Field(alias="debian-security")] = None

    @property
    def mirrors(self) -> dict[str, str]:
        """The mirrors that are set, by the archive's name."""
        return self.model_dump(by_alias=True, exclude_none=True)


class Registry(BaseModel):
    """A table below ``registries``: where repositories that begin with its name are."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    insecure: bool = False
    """Whether plain HTTP is allowed, and any certificate."""
    location: _Place | None = None
    """What takes the place of the name in pulls."""
    mirrors: Annotated[tuple[_Place, ...], Field(strict=False)] = ()
    """What is tried first in pulls."""


class Settings(BaseModel):
    """What a cogn.toml says. Make it with `read_settings`."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    archives: Archives = Archives()
    base: Annotated[str, AfterValidator(_base)] | None = None
    """The image that the model's starts from, as it is written; None for cogn's own Debian."""
    bytecode: bool = True
    """Whether images have the bytecode of their Python modules, which makes imports fast."""
    registries: dict[_Prefix, Registry] = {}

    @property
    def registry_tables(self) -> dict[str, dict[str, Any]]:
        """What is set for registries, as plain data for `RegistryConfiguration.load`."""
        return {
            name: registry.model_dump(mode="json", exclude_unset=True)
            for name, registry in self.registries.items()
        }


def read_settings(path: Path) -> Settings:
    """Return what the file says, the defaults when there is none.

    Raises `ProjectError` when it cannot be read, `ConfigError` for a mistake or an unknown key, and
    `ProblemsError` for several.
    """
    try:
        return Settings.model_validate(read_toml(path) or {})
    except ValidationError as error:
        raise config_error(
            error, lambda key: Where(path.name, _written(key) or None), known=_KEYS
        ) from error


def _written(key: Key) -> str:
    """Return the key as TOML has it: a name with a dot, such as a registry's, is in quotes."""
    parts = [part for part in key if part != "[key]"]  # pydantic's mark for the name of an entry
    return dotted([part if _BARE.fullmatch(str(part)) else f'"{part}"' for part in parts])
