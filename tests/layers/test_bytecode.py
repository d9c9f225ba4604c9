"""Layers of bytecode, made by the interpreter of a lock: what is in them, and what is made anew."""

from __future__ import annotations

import hashlib
import platform
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from zipfile import ZIP_STORED

import anyio
import pytest

from cogn import lockfiles
from cogn.layers import bytecode
from cogn.layers.bytecode import needed_interpreters, open_bytecode
from cogn.layers.content import read_all
from cogn.layers.entry import Entry, Kind
from cogn.layers.errors import BytecodeError
from cogn.layers.facts import Facts, merged_usr
from cogn.layers.inputs import LockedInputs
from cogn.layers.interpreter import unpacked_interpreter
from cogn.layers.plan import SITE, interpreter_of
from cogn.layers.recipe import BytecodeRecipe
from cogn.lockfiles import LOCK_NAME, Lock, Wheel
from cogn.store import Cache
from cogn.store.http import Fetcher
from support.wheels import make_wheel

pytestmark = pytest.mark.network

VERSION = "3.13.5"
FILES = {
    "sample/__init__.py": "X = {'b', 'a', 'c'}\n",
    "sample/sub/mod.py": "def f(x):\n    return x, 'some text', 1 << 20\n",
    "sample/broken.py": "def\n",
    "sample/text.txt": "x = 1\n",
    "sample/no-name.py": "y = 2\n",
    f"sample/{'long' * 60}.py": "z = 3\n",
    "sample-1.0.data/scripts/tool.py": "#!python\n",
    "sample-1.0.data/purelib/beside.py": "w = 4\n",
}
PLACES = {
    f"{SITE}/__pycache__/beside.cpython-313.pyc",
    f"{SITE}/sample/__pycache__/__init__.cpython-313.pyc",
    f"{SITE}/sample/__pycache__/no-name.cpython-313.pyc",
    f"{SITE}/sample/sub/__pycache__/mod.cpython-313.pyc",
}


class House:
    """The interpreter's packages, wheels made on the spot, and a cache."""

    def __init__(self, directory: Path, lock: Lock, packages: Mapping[str, Path]) -> None:
        self.directory = directory
        self.cache = Cache(directory / "cache")
        self.files = dict(packages)
        ((platform, locked),) = lock.environments.items()
        self._debs = tuple(deb for deb in locked.debs if deb.sha256 in packages)
        self.packages = [(deb, packages[deb.sha256]) for deb in self._debs]
        self.architecture = platform.partition("/")[2]

    def wheel(self, name: str, files: Mapping[str, str]) -> Wheel:
        path = make_wheel(self.directory, files, name=name, compression=ZIP_STORED)
        data = path.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        self.files[sha256] = path
        return Wheel(name=name, version="1.0", file=path.name, sha256=sha256, size=len(data))

    def compile(
        self, *wheels: Wheel, prefix: str = SITE, files: Mapping[str, Path] | None = None
    ) -> dict[str, bytes]:
        """Return the content of the files of a layer, by path."""
        recipe = self.recipe(*wheels, prefix=prefix)
        with open_bytecode(self.files if files is None else files, self.cache, 2) as opened:
            return contents(opened.entries(recipe))

    def recipe(self, *wheels: Wheel, prefix: str = SITE) -> BytecodeRecipe:
        """Return the recipe of the layer of these wheels."""
        return BytecodeRecipe(
            name="bytecode",
            architecture=self.architecture,
            python=VERSION,
            interpreter=self._debs,
            prefix=prefix,
            wheels=wheels,
        )


def contents(entries: Iterable[Entry]) -> dict[str, bytes]:
    """Return what is in the files among `entries`, by path."""
    return {e.path: read_all(e.content) for e in entries if e.kind is Kind.FILE}


@pytest.fixture(scope="module")
def lock(locked: dict[str, Path]) -> Lock:
    read = lockfiles.read(locked["hello"] / LOCK_NAME)
    assert {each.python.version for each in read.environments.values()} == {VERSION}
    return read


@pytest.fixture(scope="module")
def packages(lock: Lock, locked: dict[str, Path]) -> Mapping[str, Path]:
    """The packages that make up the lock's interpreter, by hash."""
    (environment,) = lock.environments.values()
    debs = interpreter_of(environment)
    assert isinstance(debs, tuple)
    assert len(debs) == 6

    async def fetch() -> Mapping[str, Path]:
        async with Fetcher.open(Cache()) as fetcher:
            inputs = LockedInputs(lock, locked["hello"], fetcher, {})
            return await inputs.fetch(debs, [], [])

    return anyio.run(fetch)


@pytest.fixture
def house(tmp_path: Path, lock: Lock, packages: Mapping[str, Path]) -> House:
    return House(tmp_path, lock, packages)


def test_modules_have_bytecode_where_import_looks_and_nothing_else_has(house: House) -> None:
    compiled = house.compile(house.wheel("sample", FILES))
    assert compiled.keys() == PLACES
    assert {content[4:8] for content in compiled.values()} == {b"\x01\0\0\0"}
    assert (
        b"/opt/cogn/site/sample/sub/mod.py"
        in compiled[f"{SITE}/sample/sub/__pycache__/mod.cpython-313.pyc"]
    )


def test_the_standard_library_has_bytecode(house: House) -> None:
    compiled = house.compile(prefix="usr/lib/python3.13")
    assert "usr/lib/python3.13/asyncio/__pycache__/events.cpython-313.pyc" in compiled
    assert "usr/lib/python3.13/__pycache__/os.cpython-313.pyc" in compiled
    assert len(compiled) > 500


def test_a_wheel_is_compiled_once_whatever_is_beside_it(house: House) -> None:
    sample = house.wheel("sample", FILES)
    first = house.compile(sample)
    # Neither its file nor an interpreter is there now.
    assert house.compile(sample, files={}) == first
    other = house.wheel("other", {"other.py": "x = 1\n"})
    del house.files[sample.sha256]
    assert house.compile(sample, other).keys() - first.keys() == {
        f"{SITE}/__pycache__/other.cpython-313.pyc"
    }


def test_what_is_damaged_or_gone_in_the_cache_is_compiled_again(house: House) -> None:
    sample = house.wheel("sample", FILES)
    first = house.compile(sample)
    (note,) = (house.cache.root / "notes" / "bytecode").iterdir()
    note.write_bytes(b"{")
    assert house.compile(sample) == first
    shutil.rmtree(house.cache.root / "blobs")
    assert house.compile(sample) == first


def test_another_machine_gets_its_interpreter_from_uv(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = house.compile(house.wheel("sample", FILES))
    managed(house, tmp_path / "managed")
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "managed"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setattr(bytecode, "can_run", lambda _: False)
    house.cache = Cache(tmp_path / "other")
    assert house.compile(house.wheel("sample", FILES)) == expected


def test_the_interpreter_of_another_platform_does_as_well(house: House) -> None:
    sample = house.wheel("sample", FILES)
    expected = house.compile(sample)
    other = replace(
        house.recipe(sample),
        architecture="arm64" if house.architecture == "amd64" else "amd64",
        interpreter=(),
        equivalents=((house.architecture, house.recipe().interpreter),),
    )
    assert needed_interpreters(other) == ((), house.recipe().interpreter)
    with open_bytecode(house.files, Cache(house.directory / "other"), 2) as opened:
        assert contents(opened.entries(other)) == expected


def managed(house: House, directory: Path) -> None:
    """Make what uv takes for an interpreter that it installed, out of the lock's."""
    home = directory / f"cpython-{VERSION}-linux-{platform.machine()}-gnu"
    program = home / "bin" / "python3.13"
    program.parent.mkdir(parents=True)
    scratch = house.directory / "unpacked"
    scratch.mkdir()
    facts = Facts(links=merged_usr(house.architecture))
    interpreter = unpacked_interpreter(VERSION, house.packages, facts, scratch)
    loader, *rest = interpreter.command[:5]
    program.write_text(f'#!/bin/sh\nexec {loader} --argv0 "$0" {" ".join(rest)} "$@"\n')
    program.chmod(0o755)
    (home / "lib").symlink_to(scratch / "interpreter" / "usr" / "lib")


def test_without_any_interpreter_the_error_says_so(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "managed"))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    monkeypatch.setattr(bytecode, "can_run", lambda _: False)
    with pytest.raises(BytecodeError) as caught:
        house.compile(house.wheel("sample", FILES))
    assert str(caught.value).startswith(
        "no CPython 3.13.5 can be had to compile bytecode with: uv: Python downloads are not"
    )
    assert caught.value.hint == (
        "make `uv python install 3.13.5` work, lock a platform that this machine runs too, or set "
        "`bytecode = false` in cogn.toml and run `cogn lock` to make the image without"
    )
