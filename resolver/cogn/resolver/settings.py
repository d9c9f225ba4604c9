"""cogn.toml: what only cogn knows, beside cog.yaml, whose keys belong to Cog."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from cogn.report import Where
from cogn.resolver.textfile import read_toml
from cogn.resolver.validation import config_error, fault
from cogn.resolver.yamlfile import dotted

__all__ = ["Archives", "Settings", "read_settings"]


def _http_url(value: str) -> str:
    if not value.startswith(("https://", "http://")):
        raise fault(f"must be an https or http URL, not `{value}`")
    return value


_KEYS = ("archives", "bytecode", "debian", "debian-security")
_Url = Annotated[str, AfterValidator(_http_url)]


class Archives(BaseModel):
    """The table ``archives``: mirrors of Debian's archives."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    debian: _Url | None = None
    debian_security: Annotated[_Url | None, Field(alias="debian-security")] = None

    @property
    def mirrors(self) -> dict[str, str]:
        """The mirrors that are set, by the archive's name."""
        return self.model_dump(by_alias=True, exclude_none=True)


class Settings(BaseModel):
    """What a cogn.toml says. Make it with `read_settings`."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    archives: Archives = Archives()
    bytecode: bool = True
    """Whether images have the bytecode of their Python modules, which makes imports fast."""


def read_settings(path: Path) -> Settings:
    """Return what the file says, the defaults when there is none.

    Raises `ProjectError` when it cannot be read, `ConfigError` for a mistake or an unknown key, and
    `ProblemsError` for several.
    """
    try:
        return Settings.model_validate(read_toml(path) or {})
    except ValidationError as error:
        raise config_error(
            error, lambda key: Where(path.name, dotted(key) or None), known=_KEYS
        ) from error
