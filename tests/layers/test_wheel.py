"""Wheels that break the rules, and the files that installing makes."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cogn.layers.errors import LayerError
from cogn.layers.install import installed
from cogn.layers.wheel import WheelFile
from support.layers import Written, write_layer
from support.wheels import make_wheel


def install(path: Path) -> Written:
    return write_layer(installed(WheelFile(path, path.name), "site"))


def test_scripts_start_the_images_interpreter(tmp_path: Path) -> None:
    wheel = make_wheel(
        tmp_path,
        {
            "sample/__init__.py": "",
            "sample-1.0.data/scripts/tool": "#!python -u\nprint(1)\n",
            "sample-1.0.data/scripts/shell": "#!/bin/sh\n",
            "sample-1.0.data/data/share/x.txt": "x",
            "sample-1.0.dist-info/entry_points.txt": (
                "[console_scripts]\nsample = sample:main\n[other]\na = b\n"
            ),
        },
    )
    files = install(wheel).files()
    assert files["site/bin/tool"] == (0o755, b"#!/usr/local/bin/python\nprint(1)\n")
    assert files["site/bin/shell"] == (0o755, b"#!/bin/sh\n")
    assert files["site/share/x.txt"] == (0o644, b"x")
    mode, script = files["site/bin/sample"]
    assert mode == 0o755
    assert script.startswith(b"#!/usr/local/bin/python\n")
    assert b"from sample import main" in script
    assert files["site/sample-1.0.dist-info/INSTALLER"] == (0o644, b"cogn\n")


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"../evil": ""}, "`../evil` has a part `..`"),
        ({"/etc/passwd": ""}, "`/etc/passwd` is not a relative path"),
        ({"a\\b": ""}, "`a\\b` has a backslash"),
        ({"pkg/.wh.x": ""}, "(`.wh.`)"),
        ({"pkg/a.py": "", "pkg/A.py": ""}, "differs from `pkg/a.py` only by case or form"),
        ({"pkg/\u00e9.py": "", "pkg/e\u0301.py": ""}, "only by case or form"),
        ({"sample-1.0.data/strange/x": ""}, "is in no installation scheme"),
        ({"other-1.dist-info/METADATA": ""}, "has 2 .dist-info directories, not one"),
        (
            {"sample-1.0.data/scripts/x": "", "bin/x": ""},
            "installs `bin/x` twice",
        ),
        (
            {"sample-1.0.dist-info/entry_points.txt": "[console_scripts]\n../x = a:b"},
            "`../x` cannot be a script's name",
        ),
        (
            {"sample-1.0.dist-info/entry_points.txt": "[console_scripts]\nx = !"},
            "entry_points.txt is malformed",
        ),
    ],
)
def test_a_wheel_that_must_not_be_unpacked_is_refused(
    tmp_path: Path, files: dict[str, bytes | str], fault: str
) -> None:
    with pytest.raises(LayerError) as caught:
        install(make_wheel(tmp_path, files))
    assert str(caught.value).startswith("`sample-1.0-py3-none-any.whl`")
    assert fault in str(caught.value)


def central(data: bytearray, name: bytes) -> int:
    """Return where the central directory's record of a member begins."""
    return data.rindex(name) - 46


def encrypt(data: bytearray) -> None:
    data[central(data, b"sample/code.py") + 8] |= 1


def link(data: bytearray) -> None:
    struct.pack_into("<I", data, central(data, b"sample/code.py") + 38, 0o120777 << 16)


def another_name(data: bytearray) -> None:
    at = data.index(b"sample/code.py")
    data[at : at + 6] = b"samplE"


def wrong_crc(data: bytearray) -> None:
    data[central(data, b"sample/code.py") + 16] ^= 1


def larger(data: bytearray) -> None:
    at = central(data, b"sample/code.py") + 24
    struct.pack_into("<I", data, at, struct.unpack_from("<I", data, at)[0] + 1)


def overlap(data: bytearray) -> None:
    at = central(data, b"sample/code.py") + 20
    struct.pack_into("<I", data, at, struct.unpack_from("<I", data, at)[0] + 400)


def stored_crc(data: bytearray) -> None:
    data[central(data, b"sample/stored.bin") + 16] ^= 1


def bzip2(data: bytearray) -> None:
    data[central(data, b"sample/code.py") + 10] = 12


def cut(data: bytearray) -> None:
    del data[len(data) // 2 :]


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (encrypt, "`sample/code.py` is encrypted"),
        (link, "`sample/code.py` is a symbolic link"),
        (another_name, "`sample/code.py` has a local header that is not its own"),
        (wrong_crc, "`sample-1.0-py3-none-any.whl`: `sample/code.py` has CRC-32"),
        (larger, "`sample-1.0-py3-none-any.whl`: `sample/code.py` ends too early"),
        (overlap, "overlaps another member"),
        (stored_crc, "`sample/stored.bin` has CRC-32"),
        (bzip2, "`sample/code.py` is compressed by method 12"),
        (cut, "not a readable zip archive"),
    ],
)
def test_a_damaged_or_forged_archive_is_refused(
    tmp_path: Path, damage: Callable[[bytearray], None], fault: str
) -> None:
    wheel = make_wheel(tmp_path, {"sample/code.py": "print('hello')\n" * 50})
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("sample/stored.bin", b"as it is", zipfile.ZIP_STORED)
    data = bytearray(wheel.read_bytes())
    damage(data)
    wheel.write_bytes(data)
    with pytest.raises(LayerError, match=fault):
        install(wheel)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_one_file_when_both_are_the_same(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, {"a.py": b"same"})
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("a.py", b"same")
    assert install(wheel).files()["site/a.py"] == (0o644, b"same")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("a.py", b"other")
    with pytest.raises(LayerError, match=r"`a\.py` is there twice with different content"):
        install(wheel)


def test_stored_members_and_a_comment_are_read(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, {"a.py": b"x" * 9}, compression=zipfile.ZIP_STORED)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.comment = b"made by hand"
    assert install(wheel).files()["site/a.py"] == (0o644, b"x" * 9)


CORPUS = sorted((Path(__file__).parents[1] / "cases" / "wheels").glob("*.whl"))


@pytest.mark.parametrize("wheel", CORPUS, ids=[path.parent.name + path.stem for path in CORPUS])
def test_every_form_of_archive_in_the_corpus_is_read(wheel: Path) -> None:
    files = install(wheel).files()
    assert files["site/sample/module.py"] == (0o644, b"print('hello')\n" * 9)


@given(st.data())
@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_mutated_wheel_is_unpacked_or_refused_and_nothing_else(
    tmp_path: Path, data: st.DataObject
) -> None:
    content = bytearray(data.draw(st.sampled_from(CORPUS)).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "insert", "copy"])):
            case "flip":
                content[at] ^= 1 << data.draw(st.integers(0, 7))
            case "cut":
                del content[at : at + data.draw(st.integers(1, 40))]
            case "insert":
                content[at:at] = data.draw(st.binary(min_size=1, max_size=8))
            case "copy":
                content[at:at] = content[max(0, at - 60) : at]
        if not content:
            break
    path = tmp_path / "sample-1.0-py3-none-any.whl"
    path.write_bytes(content)
    with suppress(LayerError):
        install(path)
