"""What the layer of a recipe holds, out of the files that the recipe names."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from cogn.layers.bytecode import Bytecode
from cogn.layers.debian.below import ImageBelow
from cogn.layers.debian.deb import DebFile
from cogn.layers.debian.fixup import fixup_entries
from cogn.layers.debian.listing import listings, note_listing
from cogn.layers.debian.unpack import open_debs, unpacked
from cogn.layers.entry import Bytes, Entry
from cogn.layers.facts import Facts, debian_facts
from cogn.layers.install import installed
from cogn.layers.overlap import check_overlaps, check_packages, note_files
from cogn.layers.recipe import (
    BytecodeRecipe,
    FixupRecipe,
    PackagesRecipe,
    PythonRecipe,
    Recipe,
    WheelsRecipe,
)
from cogn.layers.standalone import unpacked_python
from cogn.layers.wheel import WheelFile
from cogn.lockfiles import Deb, ImageBase, Wheel
from cogn.store import Cache

__all__ = ["contents"]

_BESIDE = "import site; site.addsitedir('{site}')\n"
"""The line of a ``.pth`` file that makes the interpreter see the model's packages."""

_BEFORE = (
    "import site, sys; n = len(sys.path); site.addsitedir('{site}'); "
    "i = next((i for i, p in enumerate(sys.path) if p.endswith('/site-packages')), n); "
    "sys.path[i:] = sys.path[n:] + sys.path[i:n]\n"
)
"""The same for one that brings packages, which the model's come before: pip, and setuptools."""

_Input = TypeVar("_Input", Deb, Wheel)


@contextmanager
def contents(
    recipe: Recipe, files: Mapping[str, Path], bytecode: Bytecode, cache: Cache
) -> Iterator[tuple[list[Entry], Facts]]:
    """Give the entries of a recipe's layer and the facts of what lies below it.

    What the entries need on disk is there until the end. Not for `FilesRecipe`, which has its
    entries.
    """
    with tempfile.TemporaryDirectory(prefix="cogn-") as directory:
        scratch = Path(directory)
        match recipe:
            case PackagesRecipe():
                with open_debs(_with_files(recipe.debs, files), scratch) as packages:
                    yield _packages(recipe, packages, _below(recipe, files), cache)
            case PythonRecipe():
                file = files[recipe.python.sha256]
                with unpacked_python(recipe.python, file, scratch) as entries:
                    yield entries, Facts()
            case WheelsRecipe():
                entries = [Entry.directory(recipe.prefix)]
                for wheel, file in _with_files(recipe.wheels, files):
                    unpacked = installed(WheelFile(file, wheel.file), recipe.prefix)
                    note_files(wheel, unpacked, cache)
                    entries += unpacked
                check_overlaps(recipe.wheels, cache)
                links = [Entry.symlink(path, target) for path, target in recipe.links]
                yield entries + links, Facts()
            case BytecodeRecipe():
                yield bytecode.entries(recipe), Facts()
            case FixupRecipe():
                yield _fixup(recipe, files, cache, scratch)


def _packages(
    recipe: PackagesRecipe, packages: Sequence[DebFile], below: ImageBelow | Facts, cache: Cache
) -> tuple[list[Entry], Facts]:
    debs = sorted(recipe.debs, key=lambda deb: deb.name)
    for deb, package in zip(debs, packages, strict=True):
        note_listing(deb, package, cache)
    if isinstance(below, ImageBelow):
        return unpacked(debs, packages, below.facts, below), below.facts
    if not recipe.is_base:
        return unpacked(debs, packages, below), below
    # As they are packaged, to be compared with the facts.
    entries = unpacked(debs, packages, replace(below, directories={}))
    entries += [Entry.symlink(path, target) for path, target in below.laid_links.items()]
    below.verify(entries)
    return entries, below


def _fixup(
    recipe: FixupRecipe, files: Mapping[str, Path], cache: Cache, scratch: Path
) -> tuple[list[Entry], Facts]:
    """Return the entries of the layer that completes a system, and the facts of its base.

    Raises `DebError`, or `ProblemsError`, for packages that do not fit beside each other.
    """
    below = _below(recipe, files)
    facts, rootfs = (below.facts, below.rootfs) if isinstance(below, ImageBelow) else (below, None)
    if isinstance(below, ImageBelow):
        for path in recipe.plain:
            below.require_plain(path)
    debs = _with_files(recipe.debs + recipe.system, files)
    found = listings(debs, cache, scratch)
    check_packages(recipe.debs, recipe.system, found, facts)
    entries = fixup_entries(
        debs,
        facts,
        scratch,
        rootfs,
        architecture=recipe.architecture,
        listings=found,
        unrun=recipe.unrun,
        links=recipe.links,
        pip=recipe.pip,
    )
    line = (_BEFORE if recipe.links else _BESIDE).format(site=f"/{recipe.site}")
    return [*entries, Entry.file(recipe.path_file, Bytes(line.encode()))], facts


def _below(recipe: PackagesRecipe | FixupRecipe, files: Mapping[str, Path]) -> ImageBelow | Facts:
    if isinstance(recipe.base, ImageBase):
        return _image_below(files[_hex(recipe.base.rootfs)])
    return debian_facts(recipe.base.release, recipe.architecture)


@lru_cache(maxsize=2)  # several layers are put on one image
def _image_below(file: Path) -> ImageBelow:
    from cogn.store.images import Rootfs  # late: most models have no such base

    return ImageBelow(Rootfs.decode(file.read_bytes()))


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _with_files(inputs: Sequence[_Input], files: Mapping[str, Path]) -> list[tuple[_Input, Path]]:
    return [(each, files[each.sha256]) for each in inputs]
