"""What the layer of a recipe holds, out of the files that the recipe names."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from cogn.layers.below import check_base
from cogn.layers.bytecode import Bytecode
from cogn.layers.entry import Bytes, Entry
from cogn.layers.facts import debian_facts
from cogn.layers.fixup import fixup_entries
from cogn.layers.install import installed
from cogn.layers.overlap import check_overlaps, note_files
from cogn.layers.recipe import (
    BytecodeRecipe,
    FixupRecipe,
    PackagesRecipe,
    Recipe,
    WheelsRecipe,
)
from cogn.layers.unpack import unpacked_debs
from cogn.layers.wheel import WheelFile
from cogn.lockfiles import Deb, Wheel
from cogn.store import Cache
from cogn.store.images import Rootfs

__all__ = ["contents"]

_Input = TypeVar("_Input", Deb, Wheel)


@contextmanager
def contents(
    recipe: Recipe, files: Mapping[str, Path], bytecode: Bytecode, cache: Cache
) -> Iterator[list[Entry]]:
    """Give the entries of a recipe's layer; what they need on disk is there until the end.

    Not for `FilesRecipe`, which has its entries.
    """
    facts = debian_facts(recipe.architecture)
    with tempfile.TemporaryDirectory(prefix="cogn-") as directory:
        scratch = Path(directory)
        match recipe:
            case PackagesRecipe():
                with unpacked_debs(_with_files(recipe.debs, files), facts, scratch) as entries:
                    if recipe.is_base:
                        facts.verify(entries)
                    yield entries
            case WheelsRecipe():
                entries = [Entry.directory(recipe.prefix)]
                for wheel, file in _with_files(recipe.wheels, files):
                    unpacked = installed(WheelFile(file, wheel.file), recipe.prefix)
                    note_files(wheel, unpacked, cache)
                    entries += unpacked
                check_overlaps(recipe.wheels, cache)
                yield entries + [Entry.symlink(path, target) for path, target in recipe.links]
            case BytecodeRecipe():
                yield bytecode.entries(recipe)
            case FixupRecipe():
                debs, base = _with_files(recipe.debs, files), None
                if recipe.base is not None:
                    base = Rootfs.decode(files[_hex(recipe.base.rootfs)].read_bytes())
                    with unpacked_debs(debs, facts, scratch) as unpacked:
                        check_base(base, [*unpacked, Entry.directory(recipe.site)], facts)
                entries = fixup_entries(debs, facts, scratch, base)
                line = f"import site; site.addsitedir('/{recipe.site}')\n"
                yield [*entries, Entry.file(recipe.path_file, Bytes(line.encode()))]


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _with_files(inputs: Sequence[_Input], files: Mapping[str, Path]) -> list[tuple[_Input, Path]]:
    return [(each, files[each.sha256]) for each in inputs]
