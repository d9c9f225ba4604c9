"""The interpreter that compiles bytecode: of the very version that the image has.

The magic number of bytecode is fixed for a minor version, what the compiler writes is not: 3.13.0
and 3.13.5 give other bytes for half of all files. So the version must be the locked one to its last
part. On Linux and the image's own architecture it is the image's interpreter itself, unpacked from
the locked packages and started with their C library, or from the locked archive, whose programs run
with any: the same program on every such machine. For
an image of another architecture the locked interpreter of this machine's does as well, as bytecode
names no architecture. Elsewhere it is the CPython of that version from uv.

Only the compiler of that interpreter is used: it reads sources and runs nothing of them.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cogn.layers.content import read
from cogn.layers.debian.unpack import unpacked_debs
from cogn.layers.entry import Entry, Kind
from cogn.layers.errors import BytecodeError
from cogn.layers.facts import Facts
from cogn.layers.plan import PYTHON
from cogn.layers.standalone import unpacked_python
from cogn.lockfiles import Deb, StandalonePython
from cogn.store.errors import UvError
from cogn.store.pythons import find_python

__all__ = [
    "WITHOUT",
    "Interpreter",
    "can_run",
    "interpreter_from_uv",
    "options",
    "standalone_interpreter",
    "unpacked_interpreter",
]

WITHOUT = "set `bytecode = false` in cogn.toml and run `cogn lock` to make the image without"
"""What errors about bytecode suggest."""

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
# No user's settings, no site-packages, no warnings.
_OPTIONS = ("-S", "-s", "-B", "-W", "ignore")
# Nothing from the directory of the program that is started, either. Before 3.11 no option says so.
_SAFE_PATH = "-P"
_START = "import sys; del sys.path[0]; exec(compile(open(sys.argv[1]).read(), sys.argv[1], 'exec'))"
_ENVIRONMENT = {"PYTHONHASHSEED": "0"}
_NEEDED = ("usr/bin/python", "usr/lib/", f"{PYTHON}/bin/python", f"{PYTHON}/lib/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """How a CPython of the full `version` is started; arguments follow the command."""

    version: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


def can_run(architecture: str) -> bool:
    """Tell whether this machine runs Linux programs of an architecture, in Debian's terms."""
    return sys.platform == "linux" and _MACHINES.get(platform.machine()) == architecture


def options(version: str) -> tuple[str, ...]:
    """Return the arguments that come between an interpreter of that version and a program."""
    minor = int(version.split(".")[1])
    return (*_OPTIONS, *((_SAFE_PATH,) if minor >= 11 else ("-c", _START)))


def interpreter_from_uv(version: str) -> Interpreter:
    """Return the interpreter of that version that uv has or can install.

    Raises `BytecodeError` when there is none.
    """
    try:
        program = find_python(version)
    except UvError as error:
        raise BytecodeError(
            f"no CPython {version} can be had to compile bytecode with: {error.message}",
            hint=f"make `uv python install {version}` work, lock a platform that this machine runs "
            f"too, or {WITHOUT}",
        ) from error
    # Windows starts no program without its own variables.
    system = {key: value for key, value in os.environ.items() if key.upper() == "SYSTEMROOT"}
    return Interpreter(
        version=version,
        command=(str(program), *options(version)),
        environment=_ENVIRONMENT | system,
    )


def unpacked_interpreter(
    version: str, debs: Sequence[tuple[Deb, Path]], facts: Facts, scratch: Path
) -> Interpreter:
    """Return the interpreter in `debs`, of this machine's architecture, unpacked below `scratch`.

    Raises `DebError` for malformed packages, `BytecodeError` when they do not hold an interpreter.
    """
    root = scratch / "interpreter"
    with unpacked_debs(debs, facts, scratch) as entries:
        for entry in entries:
            _write(root, entry)
    program = root / "usr" / "bin" / f"python{version.rpartition('.')[0]}"
    loaders = sorted(root.glob("usr/lib/*/ld-linux-*.so.*"))
    if len(loaders) != 1 or not program.is_file():
        raise BytecodeError(
            f"the packages of the lock do not hold a CPython {version} to compile bytecode with",
            hint=WITHOUT,
        )
    libraries = ("--inhibit-cache", "--library-path", str(loaders[0].parent))
    return Interpreter(
        version=version,
        command=(str(loaders[0]), *libraries, str(program), *options(version)),
        environment=_ENVIRONMENT | {"PYTHONHOME": str(root / "usr")},
    )


def standalone_interpreter(python: StandalonePython, archive: Path, scratch: Path) -> Interpreter:
    """Return the interpreter in `archive`, of this machine's architecture, unpacked to `scratch`.

    Raises `PythonArchiveError` for a malformed archive.
    """
    root = scratch / "interpreter"
    with unpacked_python(python, archive, scratch) as entries:
        for entry in entries:
            _write(root, entry)
    home = root / PYTHON
    program = home / "bin" / f"python{python.version.rpartition('.')[0]}"
    return Interpreter(
        version=python.version,
        command=(str(program), *options(python.version)),
        environment=_ENVIRONMENT | {"PYTHONHOME": str(home)},
    )


def _write(root: Path, entry: Entry) -> None:
    """Write a file or a link of a package, if an interpreter may need it."""
    if not entry.path.startswith(_NEEDED):
        return
    path = root / entry.path
    if entry.kind is Kind.FILE:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.writelines(read(entry.content))
        path.chmod(entry.mode & 0o755)
    elif entry.kind is Kind.SYMLINK and not entry.target.startswith("/"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(entry.target)
