"""Binary packages, as the indexes of archives and dpkg's lists describe them.

The fields and the relations between packages are those of Debian policy, chapters 5 and 7.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

import msgspec
from debian.debian_support import NativeVersion

from cogn.store.errors import ArchiveError

__all__ = [
    "Package",
    "Relation",
    "parse_installed",
    "parse_packages",
    "parse_relations",
]

_RELATION = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9.+-]*)"
    r"(?::(?P<qualifier>[a-z0-9-]+))?"
    r"(?:\s*\(\s*(?P<operator><<|<=|=|>=|>>)\s*(?P<version>[^\s()]+)\s*\))?"
)


class Package(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One binary package as an index describes it."""

    name: str
    version: str
    architecture: str
    path: str
    """``Filename``: the path below the archive's root."""
    sha256: str
    size: int
    essential: bool = False
    priority: str = ""
    multi_arch: str = ""
    depends: str = ""
    pre_depends: str = ""
    provides: str = ""
    conflicts: str = ""
    breaks: str = ""
    replaces: str = ""
    recommends: str = ""
    source: str = ""
    """The source package's name where it is another one than the package's own."""

    def is_newer_than(self, other: Package) -> bool:
        """Tell whether the version is higher than that of `other`; raises `ArchiveError`."""
        return _compare(self.version, other.version) > 0


class Relation(msgspec.Struct, frozen=True):
    """One alternative of a relation field: a name and, if given, what its version must be."""

    name: str
    qualifier: str | None
    """What follows a colon: ``any``, ``native`` or an architecture."""
    operator: str | None
    version: str | None

    def __str__(self) -> str:
        """Return the relation as it is written in a control file."""
        name = self.name if self.qualifier is None else f"{self.name}:{self.qualifier}"
        return name if self.operator is None else f"{name} ({self.operator} {self.version})"

    def admits(self, version: str) -> bool:
        """Tell whether a package of that version meets the condition; raises `ArchiveError`."""
        if self.operator is None or self.version is None:
            return True
        order = _compare(version, self.version)
        match self.operator:
            case "<<":
                return order < 0
            case "<=":
                return order <= 0
            case "=":
                return order == 0
            case ">=":
                return order >= 0
            case _:
                return order > 0


@lru_cache(maxsize=4096)
def parse_relations(field: str) -> tuple[tuple[Relation, ...], ...]:
    """Return the relations of a field: all must hold, each by one of its alternatives.

    Raises `ArchiveError` for a field that breaks the syntax of Debian policy 7.1.
    """
    return tuple(
        tuple(_relation(alternative, field) for alternative in group.split("|"))
        for group in field.split(",")
        if group.strip()
    )


def parse_packages(lines: Iterable[str]) -> Iterator[Package]:
    """Yield the packages of an uncompressed index, given by lines; raises `ArchiveError`."""
    return map(_package, _stanzas(lines))


def parse_installed(text: str, architecture: str) -> Iterator[Package]:
    """Yield the packages that dpkg's list of them has as installed, with no place and no hash.

    Those of other architectures are left out. Raises `ArchiveError`.
    """
    own = {"all", architecture}
    nowhere = {"Filename": "", "SHA256": "", "Size": "0"}
    for fields in _stanzas(text.splitlines()):
        # Images without dpkg have a list of their own, of installed packages alone.
        status = fields.get("Status", "install ok installed")
        if status.endswith(" installed") and fields.get("Architecture") in own:
            yield _package(fields | nowhere)


def _stanzas(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """Yield the fields of each stanza (Debian policy 5.1), folded to one line."""
    fields: dict[str, str] = {}
    key = ""
    for line in lines:
        if line.startswith((" ", "\t")):
            fields[key] = f"{fields.get(key, '')} {line.strip()}"
        elif line.strip():
            key, colon, value = line.partition(":")
            if colon:
                fields[key] = value.strip()
        elif fields:
            yield fields
            fields = {}
    if fields:
        yield fields


def _package(fields: Mapping[str, str]) -> Package:
    optional = fields.get
    try:
        return Package(
            name=fields["Package"],
            version=fields["Version"],
            architecture=fields["Architecture"],
            path=fields["Filename"],
            sha256=fields["SHA256"],
            size=int(fields["Size"]),
            essential=optional("Essential") == "yes",
            priority=optional("Priority", ""),
            multi_arch=optional("Multi-Arch", ""),
            depends=optional("Depends", ""),
            pre_depends=optional("Pre-Depends", ""),
            provides=optional("Provides", ""),
            conflicts=optional("Conflicts", ""),
            breaks=optional("Breaks", ""),
            replaces=optional("Replaces", ""),
            recommends=optional("Recommends", ""),
            source=_source(fields),
        )
    except KeyError as error:
        msg = f"a package of the index ({optional('Package', 'unnamed')}) has no field {error}"
        raise ArchiveError(msg) from error
    except ValueError as error:
        msg = f"`{optional('Package')}` has a size in the index that is no number"
        raise ArchiveError(msg) from error


def _source(fields: Mapping[str, str]) -> str:
    """Return the source package's name, without the version that may follow it (policy 5.6.1)."""
    name = fields.get("Source", "").partition(" ")[0]
    return "" if name == fields["Package"] else name


def _relation(text: str, field: str) -> Relation:
    match = _RELATION.fullmatch(text.strip())
    if match is None:
        raise ArchiveError(f"`{text.strip()}` in `{field}` is not a relation between packages")
    return Relation(match["name"], match["qualifier"], match["operator"], match["version"])


def _compare(one: str, other: str) -> int:
    """Return a number below, at or above 0 by Debian policy 5.6.12."""
    if one == other:  # of updates and security updates most are
        return 0
    try:
        left, right = NativeVersion(one), NativeVersion(other)
        return (left > right) - (left < right)
    except ValueError as error:
        raise ArchiveError(f"the index of packages has a malformed version: {error}") from error
