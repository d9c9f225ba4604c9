"""The files that a lock names: what people call each, and where `cogn vendor` puts it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cogn.layers.plan import plan
from cogn.layers.recipe import BytecodeRecipe
from cogn.lockfiles import Base, Deb, ImageBase, Lock, Platform, StandalonePython, Wheel
from cogn.report import ProblemsError
from cogn.store.errors import VendorError

__all__ = ["NamedFile", "base_files", "locked_files", "named", "vendor_paths"]


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file that images are made from."""

    sha256: str
    name: str
    """For messages."""
    path: str
    """Below a directory of `cogn vendor`."""


def named(entry: Deb | Wheel | StandalonePython) -> NamedFile:
    """Return the file of an entry of a lock."""
    match entry:
        case Deb():
            name = f"{entry.name} {entry.version} ({entry.architecture})"
            # Not the archive's name: platforms may have the same file in different ones.
            return NamedFile(entry.sha256, name, f"debs/{entry.path.rpartition('/')[2]}")
        case Wheel():
            return NamedFile(entry.sha256, entry.file, f"wheels/{entry.file}")
        case StandalonePython():
            return NamedFile(entry.sha256, entry.file, f"python/{entry.file}")


def base_files(base: Base) -> tuple[NamedFile, ...]:
    """Return what is known of an image that is a base, then its layers, the lowest first."""
    if not isinstance(base, ImageBase):
        return ()
    count = len(base.layers)
    return (
        _blob(base.rootfs, f"what `{base.reference}` holds"),
        *(
            _blob(layer.digest, f"layer {number}/{count} of `{base.reference}`")
            for number, layer in enumerate(base.layers, 1)
        ),
    )


def locked_files(lock: Lock, platforms: Iterable[Platform]) -> tuple[NamedFile, ...]:
    """Return all files that may be needed to make images for `platforms`, each once.

    That they are made on a machine of another platform is thought of: the interpreter that the lock
    has for that one is among them.
    """
    files = (file for platform in platforms for file in _locked_files(lock, platform))
    return tuple({file.sha256: file for file in files}.values())


def vendor_paths(files: Iterable[NamedFile]) -> dict[str, str]:
    """Return the paths of files in a directory of `cogn vendor`, by their hashes.

    Raises `VendorError` for two that would have the same, `ProblemsError` for several.
    """
    paths: dict[str, str] = {}
    taken: set[str] = set()
    problems = []
    for file in files:
        if file.path in taken:
            problems.append(
                VendorError(
                    f"the lock names two files `{file.path}`, with different hashes",
                    hint="vendor one platform at a time, each in a directory of its own",
                )
            )
        taken.add(file.path)
        paths[file.sha256] = file.path
    ProblemsError.raise_if_any(problems)
    return paths


def _locked_files(lock: Lock, platform: Platform) -> Iterator[NamedFile]:
    environment = lock.environments[platform]
    yield from base_files(environment.base)
    entries: Sequence[Deb | Wheel] = (*environment.fetched_debs, *environment.fetched_wheels)
    yield from map(named, entries)
    if isinstance(environment.python, StandalonePython):
        yield named(environment.python)
    for recipe in plan(lock, platform):
        if isinstance(recipe, BytecodeRecipe):
            for _, interpreter in recipe.equivalents:
                parts: Sequence[Deb | StandalonePython] = (
                    (interpreter,) if isinstance(interpreter, StandalonePython) else interpreter
                )
                yield from map(named, parts)


def _blob(digest: str, name: str) -> NamedFile:
    return NamedFile(digest.partition(":")[2], name, f"blobs/{digest.replace(':', '/')}")
