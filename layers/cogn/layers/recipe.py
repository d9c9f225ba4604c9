"""Recipes: what a layer is made from, named by content, so that equal recipes give equal layers.

A recipe's digest covers the layer format and the hashes of the inputs, and nothing of the model
that uses the layer: two models with the same wheel have the same recipe for it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec

from cogn.layers.entry import Bytes, Entry, Kind, WholeFile
from cogn.layers.layer import FORMAT, Compression
from cogn.lockfiles import Base, Deb, ImageBase, StandalonePython, Wheel

__all__ = [
    "FIXUP_RULES",
    "BytecodeRecipe",
    "FilesRecipe",
    "FixupRecipe",
    "Interpreter",
    "PackagesRecipe",
    "PythonRecipe",
    "Recipe",
    "WheelsRecipe",
    "digest_of",
]

FIXUP_RULES = 1
"""The version of the rules by which a system is completed: another one may give other files."""

_STANDALONE_RULES = 1
"""The same of the rules by which an archive with an interpreter is unpacked."""

Interpreter = tuple[Deb, ...] | StandalonePython
"""What an interpreter and its standard library are in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagesRecipe:
    """Debian packages, unpacked at the root. The first of an image is the base itself."""

    name: str
    architecture: str
    is_base: bool
    base: Base
    """What lies below, or what they are."""
    debs: tuple[Deb, ...]

    @property
    def inputs(self) -> dict[str, Any]:
        """Return all that decides the layer's bytes."""
        return {
            "kind": "packages",
            "architecture": self.architecture,
            "base": _identity_of(self.base),
            "debs": [[deb.sha256, *self._replaced(deb)] for deb in self.debs],
        }

    def _replaced(self, deb: Deb) -> list[str]:
        """Return the packages of this layer whose files another one of it may take over."""
        names = {each.name for each in self.debs}
        return [name for name in deb.replaces if name in names]


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonRecipe:
    """An interpreter that is not of the distribution, in a directory of its own."""

    name: str
    architecture: str
    python: StandalonePython

    @property
    def inputs(self) -> dict[str, Any]:
        """Return all that decides the layer's bytes."""
        return {
            "kind": "python",
            "rules": _STANDALONE_RULES,
            "version": self.python.version,
            "archive": self.python.sha256,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelsRecipe:
    """Wheels, installed in one directory; `links` are symbolic links beside them."""

    name: str
    architecture: str
    prefix: str
    wheels: tuple[Wheel, ...]
    links: tuple[tuple[str, str], ...] = ()

    @property
    def inputs(self) -> dict[str, Any]:
        """Return all that decides the layer's bytes."""
        return {
            "kind": "wheels",
            "prefix": self.prefix,
            "wheels": [[wheel.file, wheel.sha256] for wheel in self.wheels],
            "links": self.links,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class BytecodeRecipe:
    """The bytecode of all modules below `prefix` of some wheels, or of the standard library."""

    name: str
    architecture: str
    python: str
    """The full version of the interpreter, which decides what its compiler writes."""
    interpreter: Interpreter
    prefix: str
    wheels: tuple[Wheel, ...]
    """None of them: the standard library, whose sources come with the interpreter."""
    equivalents: tuple[tuple[str, Interpreter], ...] = ()
    """Interpreters that compile the same, by architecture, so that they decide nothing."""

    @property
    def inputs(self) -> dict[str, Any]:
        """Return all that decides the layer's bytes."""
        return {
            "kind": "bytecode",
            "python": self.python,
            **self._interpreter,
            "prefix": self.prefix,
            "wheels": [[wheel.file, wheel.sha256] for wheel in self.wheels],
        }

    @property
    def _interpreter(self) -> dict[str, Any]:
        if isinstance(self.interpreter, StandalonePython):
            return {"rules": _STANDALONE_RULES, "archive": self.interpreter.sha256}
        return {"debs": [deb.sha256 for deb in self.interpreter]}


@dataclass(frozen=True, slots=True, kw_only=True)
class FixupRecipe:
    """The files that setting up a system makes out of its packages."""

    name: str
    architecture: str
    base: Base
    """What lies below."""
    debs: tuple[Deb, ...]
    """The packages of the base and of Python."""
    system: tuple[Deb, ...]
    """Those above them."""
    unrun: tuple[str, ...]
    """The names of packages whose scripts may have effects that are left out."""
    path_file: str
    """The ``.pth`` file that makes the interpreter see `site` (the documentation of `site`)."""
    site: str
    links: tuple[tuple[str, str], ...] = ()
    """Links to an interpreter that is not the distribution's, by path."""
    pip: str | None = None
    """The directory of a pip that gets programs which start it."""
    plain: tuple[str, ...] = ()
    """The directories that layers without regard to the base write into: they have to be plain."""

    @property
    def inputs(self) -> dict[str, Any]:
        """Return all that decides the layer's bytes."""
        return {
            "kind": "fixup",
            "rules": FIXUP_RULES,
            "architecture": self.architecture,
            "base": _identity_of(self.base),
            "debs": [deb.sha256 for deb in self.debs],
            "system": [deb.sha256 for deb in self.system],
            "unrun": self.unrun,
            "path_file": self.path_file,
            "site": self.site,
            **({"links": self.links} if self.links else {}),
            **({"pip": self.pip} if self.pip else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesRecipe:
    """Files of the project itself. Their contents are `WholeFile` or `Bytes`."""

    name: str
    architecture: str
    entries: tuple[Entry, ...]

    @property
    def inputs(self) -> dict[str, Any]:
        """Return all that decides the layer's bytes."""
        return {"kind": "files", "entries": sorted(map(_identity, self.entries))}


Recipe = PackagesRecipe | PythonRecipe | WheelsRecipe | BytecodeRecipe | FixupRecipe | FilesRecipe


def _identity_of(base: Base) -> str:
    """Return what names all of a base that decides what is put on it."""
    return base.rootfs if isinstance(base, ImageBase) else base.release


def _identity(entry: Entry) -> tuple[str, str, int, str, bool]:
    content = entry.content
    if isinstance(content, WholeFile):
        return entry.path, entry.kind.name, entry.mode, content.sha256, content.compress
    if isinstance(content, Bytes) and entry.kind is Kind.FILE:
        sha256 = hashlib.sha256(content.data).hexdigest()
        return entry.path, entry.kind.name, entry.mode, sha256, True
    return entry.path, entry.kind.name, entry.mode, entry.target, False


def digest_of(recipe: Recipe, compression: Compression = "gzip") -> str:
    """Return the recipe's digest, ``sha256:<hex>``; the name, which is for people, is no part."""
    how = {"format": FORMAT, "compression": compression}
    canonical = msgspec.json.encode(how | recipe.inputs, order="sorted")
    return f"sha256:{hashlib.sha256(canonical).hexdigest()}"
