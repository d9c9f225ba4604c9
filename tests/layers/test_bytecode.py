"""Layers of bytecode, made by the interpreter of a lock: what is in them, and what is made anew."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZIP_STORED

import anyio
import pytest

from cogn import lockfiles
from cogn.layers import bytecode
from cogn.layers.bytecode import open_bytecode
from cogn.layers.content import read_all
from cogn.layers.entry import Entry, Kind
from cogn.layers.errors import BytecodeError
from cogn.layers.inputs import LockedInputs
from cogn.layers.interpreter import interpreter_packages
from cogn.layers.plan import SITE
from cogn.layers.recipe import BytecodeRecipe
from cogn.lockfiles import LOCK_NAME, Deb, Lock, Wheel
from cogn.store import Cache
from cogn.store.debian import Mirrors
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
        self._version = lock.python.version
        self._debs = tuple(deb for deb in lock.debs if deb.sha256 in packages)

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
        recipe = BytecodeRecipe(
            name="bytecode",
            architecture=self._debs[0].architecture,
            python=self._version,
            debs=self._debs,
            prefix=prefix,
            wheels=wheels,
        )
        with open_bytecode(self.files if files is None else files, self.cache) as opened:
            return {
                entry.path: read_all(entry.content)
                for entry in opened.entries(recipe)
                if entry.kind is Kind.FILE
            }


@pytest.fixture(scope="module")
def lock(locked: dict[str, Path]) -> Lock:
    return lockfiles.read(locked["hello"] / LOCK_NAME)


@pytest.fixture(scope="module")
def packages(lock: Lock, locked: dict[str, Path]) -> Mapping[str, Path]:
    """The packages that make up the lock's interpreter, by hash."""
    names = interpreter_packages(lock.python.version.rpartition(".")[0])
    debs: list[Deb] = [deb for deb in lock.debs if deb.name in names]
    assert len(debs) == len(names)

    async def fetch() -> Mapping[str, Path]:
        async with Fetcher.open(Cache()) as fetcher:
            inputs = LockedInputs(lock, locked["hello"], fetcher, Mirrors.find({}))
            return await inputs.fetch(debs, [])

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


def test_the_bytes_are_these_on_every_machine(house: House) -> None:
    # Other bytes mean another interpreter, or a new format name.
    compiled = house.compile(house.wheel("sample", FILES))
    digest = hashlib.sha256(b"".join(compiled[path] for path in sorted(compiled))).hexdigest()
    assert digest == "?"


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
    for damage in (b"", b"{", b'{"blob": "' + b"0" * 64 + b'", "files": []}'):
        note.write_bytes(damage)
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


def managed(house: House, directory: Path) -> None:
    """Make what uv takes for an interpreter that it installed, out of the lock's."""
    raise NotImplementedError


def test_without_any_interpreter_the_error_says_so(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "managed"))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    monkeypatch.setattr(bytecode, "can_run", lambda _: False)
    with pytest.raises(BytecodeError) as caught:
        house.compile(house.wheel("sample", FILES))
    assert str(caught.value).startswith(
        "no CPython 3.13.5 can be had to compile bytecode with: uv: Python downloads are not allowed"
    )
    assert caught.value.hint == (
        "make `uv python install 3.13.5` work, or set `bytecode = false` in cogn.toml and run "
        "`cogn lock` to make the image without"
    )
