"""cogn.toml: what only cogn knows, beside cog.yaml, whose keys belong to Cog."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from cogn.report import Where
from cogn.resolver.releases import OWN_BASES, PythonSource
from cogn.resolver.textfile import read_toml
from cogn.resolver.validation import config_error, did_you_mean, fault
from cogn.resolver.yamlfile import Key, dotted
from cogn.store import RegistryError
from cogn.store.debian import SNAPSHOT_FORMAT
from cogn.store.registry import Reference

if TYPE_CHECKING:
    from cogn.resolver.matrix import Flavour

__all__ = ["DEFAULT_SUITE", "Archives", "Registry", "Settings", "read_settings"]

DEFAULT_SUITE = next(iter(OWN_BASES))
"""The Debian release of the base where cogn.toml does not say."""

_OWN_BASE = "debian"
"""What stands for the base that cogn makes itself; the image of that name has a tag."""

_FLAVOURS: Mapping[str, Flavour] = {
    "nvidia-base": "base",
    "nvidia-runtime": "runtime",
    "nvidia-devel": "devel",
}
"""What stands for NVIDIA's images of CUDA: the tag follows from what the model needs."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9.+-]+")
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
    if value.startswith("nvidia-") and "/" not in value and value not in _FLAVOURS:
        known = ", ".join(f"`{name}`" for name in _FLAVOURS)
        raise fault(f"`{value}` is no kind of NVIDIA's images", hint=f"write one of {known}")
    try:
        Reference.parse(value)
    except RegistryError as error:
        raise fault(
            error.message, hint="write `debian:trixie-slim`, `registry.example.com/team/base:1`"
        ) from error
    return value


def _suite(value: str) -> str:
    if value not in OWN_BASES:
        known = ", ".join(f"`{suite}`" for suite in OWN_BASES)
        raise fault(
            f"cogn makes no base of `{value}`",
            hint=f"write one of {known}, or name an image of that release as `base`",
        )
    return value


def _moment(value: str) -> str:
    try:
        datetime.strptime(value, SNAPSHOT_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        raise fault(
            f"`{value}` is not a moment", hint="write it in UTC, such as `20260901T000000Z`"
        ) from None
    return value


def _packages(value: tuple[str, ...]) -> tuple[str, ...]:
    for name in value:
        if not _PACKAGE.fullmatch(name):
            raise fault(f"`{name}` is not the name of a Debian package")
    return tuple(sorted(set(value)))


def _backend(value: str) -> str:
    if not re.fullmatch(r"default|cpu|cu\d{3}", value):
        raise fault(
            f"`{value}` is no index of PyTorch's",
            hint="write `cpu`, one such as `cu126`, or `default` for the usual index",
        )
    return value


def _gpus(value: tuple[str, ...]) -> tuple[str, ...]:
    from cogn.resolver.matrix import load_matrix  # late: few projects say this

    matrix = load_matrix()
    for name in value:
        if matrix.gpu(name) is None:
            raise fault(
                f"cogn knows no GPU `{name}`",
                hint=did_you_mean(name, sorted(matrix.gpus))
                or "write it as NVIDIA does: `RTX 4090`",
            )
    return tuple(sorted(set(value)))


def _driver(value: str) -> str:
    if not re.fullmatch(r"\d{3}(\.\d+){0,2}", value):
        raise fault(f"`{value}` is not a driver's version", hint="write `535` or `535.104.05`")
    return value


_KEYS = (
    *("allow_unrun", "archives", "base", "build_sdists", "bytecode", "driver", "gpus", "python"),
    *("recommends", "registries", "shell", "suite", "torch_backend"),
    *("debian", "debian-security", "snapshot", "ubuntu", "ubuntu-ports"),
    *("insecure", "location", "mirrors"),
)
_Url = Annotated[str, AfterValidator(_http_url)]
_Place = Annotated[str, AfterValidator(_place)]
_Prefix = Annotated[str, AfterValidator(_prefix)]


class Archives(BaseModel):
    """The table ``archives``: mirrors, and the moment whose state is locked."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    debian: _Url | None = None
    debian_security: Annotated[_Url | None, Field(alias="debian-security")] = None
    ubuntu: _Url | None = None
    ubuntu_ports: Annotated[_Url | None, Field(alias="ubuntu-ports")] = None
    snapshot: Annotated[str, AfterValidator(_moment)] | None = None
    """The moment as of which archives are read, in UTC; None for now."""

    @property
    def mirrors(self) -> dict[str, str]:
        """The mirrors that are set, by the archive's name."""
        return self.model_dump(by_alias=True, exclude_none=True, exclude={"snapshot"})


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

    allow_unrun: Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_packages)] = ()
    """The packages whose maintainer scripts may have effects that the image lacks; sorted."""
    archives: Archives = Archives()
    base: Annotated[str, AfterValidator(_base)] | None = None
    """The image that the model's starts from, as it is written; None for cogn's own Debian. Either
    `image` or `flavour` says which one it is."""
    build_sdists: bool = False
    """Whether packages without wheels are built from their source, which runs code of theirs."""
    bytecode: bool = True
    """Whether images have the bytecode of their Python modules, which makes imports fast."""
    driver: Annotated[str, AfterValidator(_driver)] | None = None
    """The oldest NVIDIA driver of the machines that the model is for."""
    gpus: Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_gpus)] = ()
    """The GPUs of the machines that the model is for; sorted."""
    python: PythonSource | None = None
    """Where Python comes from; None for the distribution's own where that is the wanted one."""
    recommends: bool = False
    """Whether what system packages recommend comes along."""
    registries: dict[_Prefix, Registry] = {}
    shell: bool = True
    """Whether cogn's own base has a shell and the usual tools."""
    suite: Annotated[str, AfterValidator(_suite)] = DEFAULT_SUITE
    """The Debian release of cogn's own base."""
    torch_backend: Annotated[str, AfterValidator(_backend)] | None = None
    """The index of PyTorch that its packages come from, ``default`` for the usual index."""

    @model_validator(mode="after")
    def _one_base(self) -> Self:
        if self.base is not None:
            for key in ("shell", "suite"):
                if key in self.model_fields_set:
                    raise fault(
                        f"`{key}` is about cogn's own base, and `base` names an image instead",
                        hint=f"remove `{key}` or `base`",
                    )
        return self

    @property
    def image(self) -> Reference | None:
        """The image that is named as the base."""
        return None if self.base is None or self.flavour else Reference.parse(self.base)

    @property
    def flavour(self) -> Flavour | None:
        """Which of NVIDIA's images the base is, where its tag is left to `cogn lock`."""
        return _FLAVOURS.get(self.base or "")

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
