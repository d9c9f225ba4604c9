"""Where registries answer: mirrors, other locations, plain HTTP and certificates.

Read from the files of podman and skopeo, which are containers-registries.conf(5) in version 2 with
its drop-ins and containers-certs.d(5), Docker's ``certs.d`` too, and from the project's cogn.toml.
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import msgspec

from cogn.report import Where
from cogn.store.errors import RegistryConfigurationError, RegistryError
from cogn.store.registry.reference import DOCKER_HUB

__all__ = ["Certificates", "Endpoint", "RegistryConfiguration"]

_SYSTEM = Path("/etc")
_CONF = "registries.conf"
_HUB_SERVER = "registry-1.docker.io"


@dataclass(frozen=True, slots=True)
class Certificates:
    """The files that TLS with one registry needs, beyond what the machine trusts."""

    authorities: tuple[Path, ...] = ()
    """Certificates of authorities that are trusted besides."""
    clients: tuple[tuple[Path, Path], ...] = ()
    """Certificates that show who asks, each with its key."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place that a repository may be reached at."""

    host: str
    """The registry as people write it: its credentials are kept under this name."""
    repository: str
    """What the registry calls the repository."""
    insecure: bool
    """Whether any certificate will do, and plain HTTP."""
    certificates: Certificates

    @property
    def netloc(self) -> str:
        """The ``host[:port]`` that answers: docker.io has its API at another."""
        return _HUB_SERVER if self.host == DOCKER_HUB else self.host

    @property
    def is_loopback(self) -> bool:
        """Whether this is this machine."""
        try:
            return ipaddress.ip_address(urlsplit(f"//{self.host}").hostname or "").is_loopback
        except ValueError:
            return self.host.partition(":")[0] == "localhost"

    @property
    def may_be_plain(self) -> bool:
        """Whether HTTP without TLS is allowed, where the registry speaks no TLS.

        It is for insecure registries and, as for Docker, for this machine; not for one that has
        certificates, which would be shown to nobody.
        """
        return (self.insecure or self.is_loopback) and self.certificates == Certificates()


class RegistryConfiguration:
    """Knows where repositories are. Make it with `RegistryConfiguration.load`."""

    def __init__(self, extra: Mapping[str, Mapping[str, Any]], environ: Mapping[str, str]) -> None:
        self._extra = extra
        self._explicit = environ.get("CONTAINERS_REGISTRIES_CONF")
        home = Path(environ.get("HOME") or Path.home())
        configuration = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
        self._user = configuration / "containers"

    @classmethod
    def load(
        cls,
        extra: Mapping[str, Mapping[str, Any]] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> Self:
        """Return the configuration of this machine, under that of a project.

        `extra` is the table ``registries`` of its cogn.toml, and replaces what files say of the
        same prefix. Files are read when a method needs them.
        """
        return cls(extra or {}, environ)

    def endpoints(
        self, host: str, repository: str, *, for_pull: bool, by_digest: bool
    ) -> tuple[Endpoint, ...]:
        """Return the places of a repository, in the order in which to try them.

        For a pull these are its mirrors and, last, its location. A push goes to the registry that
        was named and no other, as containers-registries.conf(5) has it; that is one endpoint.
        Raises `RegistryConfigurationError` when a file is wrong, `RegistryError` when the registry
        is blocked.
        """
        name = f"{host}/{repository}".rstrip("/")
        rule = self._rule_of(name)
        if rule is not None and rule.table.blocked:
            raise RegistryError(f"`{rule.prefix}` is blocked", where=rule.where)
        if rule is None or not for_pull:
            return (self._endpoint(name),)
        mirrors = [
            self._endpoint(rule.rewritten(name, mirror.location), insecure=mirror.insecure)
            for mirror in rule.mirrors(by_digest=by_digest)
        ]
        location = rule.rewritten(name, rule.table.location or rule.prefix)
        return (*mirrors, self._endpoint(location, insecure=rule.table.insecure))

    def _endpoint(self, name: str, *, insecure: bool = False) -> Endpoint:
        host, _, repository = name.partition("/")
        own = self._rule_of(name)
        is_insecure = insecure or (own is not None and own.table.insecure)
        return Endpoint(host, repository, is_insecure, self._certificates(host))

    def _rule_of(self, name: str) -> _Rule | None:
        """Return the rule with the longest prefix of `name`: it alone counts."""
        matching = (rule for rule in self._rules.values() if rule.matches(name))
        return max(matching, key=lambda rule: len(rule.prefix), default=None)

    @cached_property
    def _rules(self) -> dict[str, _Rule]:
        """All rules by prefix; what is read later replaces what was read before."""
        rules = {rule.prefix: rule for file in self._files() for rule in _read(file)}
        for prefix, settings in self._extra.items():
            table = _Table(
                location=settings.get("location") or "",
                insecure=settings.get("insecure", False),
                mirror=[_Mirror(location) for location in settings.get("mirrors", ())],
            )
            rules[prefix] = _Rule(prefix, table, Where("cogn.toml", f'registries."{prefix}"'))
        return rules

    def _files(self) -> Iterator[Path]:
        system = _SYSTEM / "containers"
        drop_ins = [system, self._user]
        if self._explicit:
            yield Path(self._explicit)
        elif (self._user / _CONF).exists():
            drop_ins = [self._user]
            yield self._user / _CONF
        elif (system / _CONF).exists():
            yield system / _CONF
        for directory in drop_ins:
            yield from sorted((directory / f"{_CONF}.d").glob("*.conf"))

    def _certificates(self, host: str) -> Certificates:
        """Return what is in the first directory that there is for the registry."""
        for parent in (self._user, _SYSTEM / "containers", _SYSTEM / "docker"):
            try:
                files = sorted((parent / "certs.d" / host).iterdir())
            except OSError:  # none, or not for this user
                continue
            clients = tuple(
                (file, file.with_suffix(".key")) for file in files if file.suffix == ".cert"
            )
            for certificate, key in clients:
                if key not in files:
                    msg = f"there is no `{key.name}` beside it"
                    raise RegistryConfigurationError(msg, where=Where(str(certificate)))
            return Certificates(tuple(file for file in files if file.suffix == ".crt"), clients)
        return Certificates()


class _Mirror(msgspec.Struct, frozen=True, rename="kebab"):
    location: str
    insecure: bool = False
    pull_from_mirror: Literal["", "all", "digest-only", "tag-only"] = ""


class _Table(msgspec.Struct, frozen=True, rename="kebab"):
    """A table ``[[registry]]`` as it is written."""

    prefix: str = ""
    location: str = ""
    insecure: bool = False
    blocked: bool = False
    mirror_by_digest_only: bool = False
    mirror: list[_Mirror] = []


class _File(msgspec.Struct):
    registry: list[_Table] = []


@dataclass(frozen=True, slots=True)
class _Rule:
    """What is said about the repositories that begin with a prefix."""

    prefix: str
    table: _Table
    where: Where

    @property
    def is_wildcard(self) -> bool:
        """Whether the prefix means all subdomains of one domain."""
        return self.prefix.startswith("*.")

    def matches(self, name: str) -> bool:
        """Tell whether this is about a repository, whose name begins with its host."""
        if self.is_wildcard:
            return name.partition("/")[0].partition(":")[0].endswith(self.prefix[1:])
        return f"{name}/".startswith(f"{self.prefix}/")

    def rewritten(self, name: str, location: str) -> str:
        """Return `name` with `location` in the place of the prefix."""
        if location == self.prefix:
            return name
        end = name.find("/") if self.is_wildcard else len(self.prefix)
        return location + (name[end:] if end >= 0 else "")

    def mirrors(self, *, by_digest: bool) -> list[_Mirror]:
        """Return the mirrors that may be asked by digest, or else by tag."""
        wanted = {"", "all", "digest-only" if by_digest else "tag-only"}
        if self.table.mirror_by_digest_only and not by_digest:
            return []
        return [mirror for mirror in self.table.mirror if mirror.pull_from_mirror in wanted]


def _read(path: Path) -> list[_Rule]:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        msg = f"cannot read the file: {error.strerror}"
        raise RegistryConfigurationError(msg, where=Where(str(path))) from error
    except UnicodeDecodeError as error:
        raise RegistryConfigurationError("not UTF-8", where=Where(str(path))) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        msg = f"not valid TOML: {error}"
        raise RegistryConfigurationError(msg, where=Where(str(path))) from error
    try:
        tables = msgspec.convert(content, type=_File).registry
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$.")
        where = Where(str(path), place.removesuffix("`"))
        raise RegistryConfigurationError(message, where=where) from error
    return [
        _rule(table, Where(str(path), f"registry[{index}]")) for index, table in enumerate(tables)
    ]


def _rule(table: _Table, where: Where) -> _Rule:
    location = _place(table.location, where)
    prefix = _place(table.prefix, where) or location
    if not prefix:
        raise RegistryConfigurationError("names neither a prefix nor a location", where=where)
    mirrors = [
        msgspec.structs.replace(mirror, location=_place(mirror.location, where))
        for mirror in table.mirror
    ]
    if not all(mirror.location for mirror in mirrors):
        raise RegistryConfigurationError("names a mirror without a location", where=where)
    return _Rule(prefix, msgspec.structs.replace(table, location=location, mirror=mirrors), where)


def _place(text: str, where: Where) -> str:
    if "://" in text:
        raise RegistryConfigurationError(
            f"`{text}` is a URL",
            where=where,
            hint="name the place as `host[:port]` or `host[:port]/namespace`",
        )
    return text.rstrip("/")
