"""Two wheels that write one path."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cogn.layers.errors import WheelError
from cogn.layers.install import installed
from cogn.layers.overlap import check_overlaps, note_files
from cogn.layers.wheel import WheelFile
from cogn.lockfiles import Wheel
from cogn.store import Cache
from support.wheels import make_wheel


def noted(directory: Path, cache: Cache, name: str, files: dict[str, bytes | str]) -> Wheel:
    path = make_wheel(directory, files, name=name)
    wheel = Wheel(
        name=name,
        version="1.0",
        file=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        size=path.stat().st_size,
    )
    note_files(wheel, installed(WheelFile(path, path.name), "site"), cache)
    return wheel


def test_the_same_file_in_two_wheels_is_no_harm(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    files: dict[str, bytes | str] = {"nvidia/__init__.py": "# shared\n"}
    wheels = [noted(tmp_path, cache, name, files) for name in ("cublas", "cudnn")]
    check_overlaps(wheels, cache)


def test_different_files_in_one_place_name_both_wheels(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    wheels = [
        noted(tmp_path, cache, "one", {"tests/__init__.py": "1"}),
        noted(tmp_path, cache, "two", {"tests/__init__.py": "2"}),
    ]
    with pytest.raises(WheelError) as caught:
        check_overlaps(wheels, cache)
    assert str(caught.value) == (
        "`one-1.0-py3-none-any.whl` and `two-1.0-py3-none-any.whl` both install "
        "`site/tests/__init__.py`, and differently"
    )


def test_a_script_that_two_wheels_declare_differently_is_noticed(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    wheels = [
        noted(
            tmp_path,
            cache,
            name,
            {f"{name}-1.0.dist-info/entry_points.txt": f"[console_scripts]\nrun = {name}:main\n"},
        )
        for name in ("one", "two")
    ]
    with pytest.raises(WheelError, match="both install `site/bin/run`"):
        check_overlaps(wheels, cache)
