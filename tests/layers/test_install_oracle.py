"""Wheels as layers against ``uv pip install --target``: the same files, contents and modes.

What may differ, and nothing else: RECORD (checked for being complete instead), INSTALLER, what uv
notes beside them, bytecode, the first line of scripts, and the text of scripts generated from entry
points, of which the import must be the same.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import re
import subprocess
from pathlib import Path

import anyio
import pytest
from packaging.utils import parse_wheel_filename
from uv import find_uv_bin

from cogn.layers.install import installed
from cogn.layers.wheel import WheelFile
from cogn.lockfiles import Wheel
from cogn.report import Reporter
from cogn.store.cache import Cache
from cogn.store.http import Fetcher
from cogn.store.uv import FoundWheel, Target, Uv
from cogn.store.wheels import fetch_wheels, note_wheels
from support.layers import write_layer

PINS = {
    "attrs": "26.1.0",  # two packages in one wheel
    "awscli": "1.41.10",  # scripts with #!python, .cmd files
    "babel": "2.18.0",  # a thousand data files
    "backports-tarfile": "1.2.0",  # below the namespace `backports`
    "bcrypt": "5.0.0",  # abi3
    "black": "25.1.0",  # entry points, a module compiled by mypyc at the top level
    "certifi": "2026.10.18",  # data beside code
    "cffi": "2.1.1",
    "cmake": "4.0.3",  # large programs as scripts, a tree of data
    "coverage": "7.17.3",  # a .pth file
    "cryptography": "50.0.2",  # abi3, one large library
    "cython": "3.3.1",  # entry points of the same name as modules
    "debugpy": "1.8.22",  # libraries for another machine inside
    "docutils": "0.23",
    "fonttools": "4.68.0",  # manual pages in .data/data
    "future": "1.0.0",  # packages named like those of the standard library
    "google-cloud-core": "2.8.0",  # below the namespace `google`
    "greenlet": "3.2.3",  # a header in .data/headers
    "imageio-ffmpeg": "0.8.1",  # a program of 30 MB as data
    "ipykernel": "6.29.5",  # .data/data
    "jupyter-core": "5.9.1",  # a module and a package side by side
    "jupyterlab-widgets": "3.0.17",  # data alone
    "lxml": "6.1.3",  # headers as package data
    "mypy": "2.4.1",  # hundreds of compiled modules
    "nbconvert": "7.17.2",  # .data/data
    "ninja": "1.11.1.4",  # a compiled program in .data/scripts
    "nose": "1.3.7",  # metadata of 2015, a manual page
    "numpy": "2.3.1",  # compiled, bundled libraries, entry points
    "nvidia-cuda-runtime-cu12": "12.9.79",  # below the namespace `nvidia`
    "nvidia-nvtx-cu12": "12.9.79",  # tiny, the same namespace
    "pillow": "11.3.0",
    "protobuf": "6.31.1",  # below the namespace `google`
    "psutil": "7.2.2",
    "pyserial": "3.5",  # old metadata, scripts
    "pytz": "2026.6",  # hundreds of small binary files
    "pywavelets": "1.8.0",  # data files beside compiled ones
    "pyzmq": "27.3.0",
    "ruamel-yaml": "0.19.1",  # below the namespace `ruamel`
    "setuptools": "80.9.0",  # a .pth file, names with spaces
    "six": "1.17.0",  # one module
    "soundfile": "0.14.0",  # one module and a library
    "sphinxcontrib-applehelp": "2.0.0",  # a namespace
    "sphinxcontrib-jsmath": "2.0.0",
    "tornado": "6.6.1",
    "tqdm": "4.70.1",
    "types-pyyaml": "6.0.12.20261113",  # stubs alone
    "virtualenv": "21.15.8",  # wheels inside a wheel
    "wheel": "0.48.0",
    "widgetsnbextension": "4.0.16",  # data alone
    "zope-interface": "8.7",  # below the namespace `zope`
}
TARGET = Target(python="3.13", platform="linux/amd64")

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, Path]]:
    """The wheels' file names and cached files, by project name."""

    async def fetch() -> dict[str, tuple[str, Path]]:
        uv = Uv(tmp_path_factory.mktemp("uv"))
        cache = Cache()
        async with Fetcher.open(cache, Reporter()) as fetcher:
            located = await uv.locate(PINS, TARGET)
            found = [best([each for each in located if each.name == name]) for name in PINS]
            sizes = await note_wheels(found, fetcher)
            locked = [
                Wheel(
                    name=each.name,
                    version=each.version,
                    file=each.file,
                    sha256=each.sha256,
                    size=sizes[each.sha256],
                )
                for each in found
            ]
            files = await fetch_wheels(locked, target=TARGET, uv=uv, fetcher=fetcher)
        return {wheel.name: (wheel.file, path) for wheel, path in zip(locked, files, strict=True)}

    return anyio.run(fetch)


def best(wheels: list[FoundWheel]) -> FoundWheel:
    """Return the wheel that fits the target best."""
    ranks = {tag: rank for rank, tag in enumerate(TARGET.tags)}

    def rank(wheel: FoundWheel) -> int:
        return min(ranks.get(tag, len(ranks)) for tag in parse_wheel_filename(wheel.file)[3])

    return min(wheels, key=rank)


@pytest.mark.parametrize("name", PINS)
def test_a_wheel_unpacks_to_what_uv_installs(
    name: str, wheels: dict[str, tuple[str, Path]], tmp_path: Path
) -> None:
    file, path = wheels[name]
    copy = tmp_path / file
    copy.symlink_to(path)
    target = tmp_path / "uv"
    subprocess.run(
        [
            *(find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--target", target, copy),
            *("--python-version", "3.13", "--python-platform", TARGET.uv_platform),
            *("--no-index", "--link-mode", "copy"),
        ],
        check=True,
        umask=0o022,
    )
    entries = installed(WheelFile(path, file), "site")
    ours = {
        path.removeprefix("site/"): found for path, found in write_layer(entries).files().items()
    }
    theirs = {
        path.relative_to(target).as_posix(): (path.stat().st_mode & 0o7777, path.read_bytes())
        for path in target.rglob("*")
        if path.is_file()
    }
    assert_record_is_complete(ours)
    assert comparable(ours) == comparable(theirs)


def comparable(files: dict[str, tuple[int, bytes]]) -> dict[str, tuple[int, str]]:
    """Return mode and hash of each file, without what may differ."""
    own = re.compile(
        r"([^/]+\.dist-info/(RECORD|INSTALLER|REQUESTED|uv_.*|direct_url\.json)|\.lock|.*\.pyc)"
    )
    return {
        path: (mode, hashlib.sha256(script(data) if path.startswith("bin/") else data).hexdigest())
        for path, (mode, data) in files.items()
        if not own.fullmatch(path)
    }


def script(data: bytes) -> bytes:
    """Return a script without its first line; of a generated one the imports alone."""
    if not data.startswith(b"#!"):
        return data
    body = data.partition(b"\n")[2]
    imports = re.findall(rb"^from \S+ import \S+$", body, re.MULTILINE)
    calls = re.findall(rb"sys\.exit\((.+)\(\)\)$", body, re.MULTILINE)
    return b"\n".join(imports + calls) if len(imports) == len(calls) == 1 else body


def assert_record_is_complete(files: dict[str, tuple[int, bytes]]) -> None:
    """Check that RECORD names each file once, with the hash and size it has."""
    (path,) = (path for path in files if re.fullmatch(r"[^/]+\.dist-info/RECORD", path))
    rows = list(csv.reader(files[path][1].decode().splitlines()))
    assert sorted(row[0] for row in rows) == sorted(files)
    for name, digest, size in rows:
        if name == path:
            assert (digest, size) == ("", "")
            continue
        data = files[name][1]
        expected = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        assert (digest, int(size)) == (f"sha256={expected}", len(data)), name
