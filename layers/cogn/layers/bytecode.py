"""The layers of bytecode: what `import` would write into ``__pycache__`` if it could (PEP 3147).

Each .pyc file is valid whatever the time of its source (unchecked hash, PEP 552), and its bytes
follow from the source, its path in the image and the version of the interpreter (see
`compile_worker` and `interpreter`). A source that does not compile has none, as with `compileall`.

A wheel is compiled once: the cache has its .pyc files as one blob, and a note under the digest of a
recipe with that wheel alone, which says where in the blob each one lies.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from cogn.layers.compiler import Compiler, running_compiler
from cogn.layers.debian.unpack import unpacked_debs
from cogn.layers.entry import Entry, Kind, Slice
from cogn.layers.facts import Facts, merged_usr
from cogn.layers.install import installed
from cogn.layers.interpreter import (
    can_run,
    interpreter_from_uv,
    standalone_interpreter,
    unpacked_interpreter,
)
from cogn.layers.recipe import BytecodeRecipe, Interpreter, digest_of
from cogn.layers.standalone import unpacked_python
from cogn.layers.wheel import WheelFile
from cogn.lockfiles import Deb, StandalonePython
from cogn.store import Cache

__all__ = ["Bytecode", "needed_interpreters", "open_bytecode"]

_NOTES = "bytecode"
_LONGEST_NAME = 255
"""Of a file, in bytes: what Linux's file systems take."""


_Runnable = tuple[str, Interpreter]
"""The architecture of an interpreter and what it is in."""


class _Note(msgspec.Struct, frozen=True):
    """A blob of .pyc files one after the other; `files` are their paths and sizes."""

    blob: str
    files: tuple[tuple[str, int], ...]


class Bytecode:
    """Compiles what recipes name. Get it from `open_bytecode`.

    Its methods may be called from several threads.
    """

    def __init__(
        self, files: Mapping[str, Path], cache: Cache, stack: ExitStack, jobs: int
    ) -> None:
        self._files = files
        self._cache = cache
        self._stack = stack
        self._jobs = jobs
        self._starting = threading.Lock()
        self._compilers: dict[tuple[str, _Runnable | None], Compiler] = {}

    def entries(self, recipe: BytecodeRecipe) -> list[Entry]:
        """Return the .pyc files of a layer, compiling what was not compiled before.

        Raises `BytecodeError` when that cannot be done, and the errors of reading wheels and
        packages.
        """
        parts = [replace(recipe, wheels=(wheel,)) for wheel in recipe.wheels] or [recipe]
        return [Entry.directory(recipe.prefix), *(e for part in parts for e in self._part(part))]

    def _part(self, recipe: BytecodeRecipe) -> Iterator[Entry]:
        key = digest_of(recipe).removeprefix("sha256:")
        note = self._note(key)
        if note is None:
            note = self._compiled(recipe)
            self._cache.set_note(_NOTES, key, note)
        blob = self._cache.path(note.blob)
        offset = 0
        for path, size in note.files:
            yield Entry.file(path, Slice(blob, offset, size))
            offset += size

    def _note(self, key: str) -> _Note | None:
        """Return the note of that key if its blob is here."""
        content = self._cache.note(_NOTES, key)
        try:
            note = msgspec.json.decode(content, type=_Note) if content else None
        except msgspec.DecodeError:  # damaged: as good as none
            return None
        return note if note and self._cache.find(note.blob) else None

    def _compiled(self, recipe: BytecodeRecipe) -> _Note:
        files = []
        with (
            self._sources(recipe) as sources,
            self._cache.blob(what=f"bytecode of {recipe.name}") as blob,
        ):
            places = [(source, place) for source in sources if (place := _place(source, recipe))]
            results = self._compiler(recipe).compile(source for source, _ in places)
            for (_, place), result in zip(places, results, strict=True):
                if result is not None:
                    blob.write(result)
                    files.append((place, len(result)))
        return _Note(blob.sha256, tuple(files))

    @contextmanager
    def _sources(self, recipe: BytecodeRecipe) -> Iterator[Iterable[Entry]]:
        """Give the files among which a recipe's sources are, by the order of their paths."""
        with TemporaryDirectory(prefix="cogn-") as scratch, ExitStack() as stack:
            if recipe.wheels:
                (wheel,) = recipe.wheels
                entries = installed(WheelFile(self._files[wheel.sha256], wheel.file), recipe.prefix)
            elif isinstance(python := recipe.interpreter, StandalonePython):
                file = self._files[python.sha256]
                entries = stack.enter_context(unpacked_python(python, file, Path(scratch)))
            else:
                facts = Facts(links=merged_usr(recipe.architecture))
                unpacked = unpacked_debs(self._with_files(python), facts, Path(scratch))
                entries = stack.enter_context(unpacked)
            yield sorted(entries, key=lambda entry: entry.path)

    def _compiler(self, recipe: BytecodeRecipe) -> Compiler:
        key = recipe.python, _runnable(recipe)
        with self._starting:
            if key not in self._compilers:
                self._compilers[key] = self._start(*key)
            return self._compilers[key]

    def _start(self, version: str, runnable: _Runnable | None) -> Compiler:
        if runnable is None:
            interpreter = interpreter_from_uv(version)
        else:
            architecture, python = runnable
            scratch = Path(self._stack.enter_context(TemporaryDirectory(prefix="cogn-")))
            if isinstance(python, StandalonePython):
                file = self._files[python.sha256]
                interpreter = standalone_interpreter(python, file, scratch)
            else:
                facts = Facts(links=merged_usr(architecture))
                debs = self._with_files(python)
                interpreter = unpacked_interpreter(version, debs, facts, scratch)
        return self._stack.enter_context(running_compiler(interpreter, self._jobs))

    def _with_files(self, debs: Sequence[Deb]) -> Sequence[tuple[Deb, Path]]:
        return [(deb, self._files[deb.sha256]) for deb in debs]


@contextmanager
def open_bytecode(files: Mapping[str, Path], cache: Cache, jobs: int) -> Iterator[Bytecode]:
    """Give what compiles wheels and packages, whose files are given by SHA-256, `jobs` at once.

    An interpreter is started when the first source has to be compiled, and ends with the block.
    """
    with ExitStack() as stack:
        yield Bytecode(files, cache, stack, jobs)


def needed_interpreters(recipe: BytecodeRecipe) -> tuple[Interpreter, ...]:
    """Return what the recipe is made with on this machine: its own sources, and what compiles."""
    runnable = _runnable(recipe)
    return (recipe.interpreter,) if runnable is None else (recipe.interpreter, runnable[1])


def _runnable(recipe: BytecodeRecipe) -> _Runnable | None:
    """Return the interpreter for a recipe that this machine runs, if there is one."""
    own: _Runnable = (recipe.architecture, recipe.interpreter)
    candidates = (own, *recipe.equivalents)
    return next((each for each in candidates if can_run(each[0])), None)


def _place(source: Entry, recipe: BytecodeRecipe) -> str | None:
    """Return where the .pyc file of a source goes, None for what is no module of the recipe."""
    directory, _, name = source.path.rpartition("/")
    stem = name.removesuffix(".py")
    if source.kind is not Kind.FILE or stem in {"", name}:
        return None
    below = source.path.removeprefix(f"{recipe.prefix}/")
    if below == source.path or below.startswith("bin/"):  # scripts are never imported
        return None
    major, minor, _ = recipe.python.split(".")
    compiled = f"{stem}.cpython-{major}{minor}.pyc"
    if len(compiled.encode()) > _LONGEST_NAME:
        return None
    return f"{directory}/__pycache__/{compiled}"
