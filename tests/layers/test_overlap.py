"""Two wheels, or two packages in different layers, that write one path."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pytest
from msgspec.structs import replace

from cogn.layers.debian.listing import listings
from cogn.layers.errors import DebError, WheelError
from cogn.layers.facts import debian_facts
from cogn.layers.install import installed
from cogn.layers.overlap import check_overlaps, check_packages, note_files
from cogn.layers.wheel import WheelFile
from cogn.lockfiles import Deb, Wheel
from cogn.report import ProblemsError
from cogn.store import Cache
from support.debian import make_deb, tar_member
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


FACTS = debian_facts("trixie", "amd64")
Pair = tuple[Deb, Path]


def check(directory: Path, lower: list[Pair], system: list[Pair]) -> None:
    found = listings([*lower, *system], Cache(directory / "cache"), directory)
    check_packages([deb for deb, _ in lower], [deb for deb, _ in system], found, FACTS)


def test_packages_share_files_that_are_the_same_and_what_stays_out_is_not_compared(
    tmp_path: Path,
) -> None:
    debs = [
        make_deb(
            tmp_path,
            name,
            [
                tar_member(f"./{directory}/", type=tarfile.DIRTYPE, mode=0o755),
                tar_member(f"./{directory}/same.so", b"same"),
                tar_member("./usr/share/man/man1/x.1", name.encode()),
            ],
        )
        for name, directory in (("a", "lib"), ("b", "usr/lib"))
    ]
    check(tmp_path, debs[:1], debs[1:])


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([tar_member("./usr/bin/x", b"two")], "have different files at `usr/bin/x`"),
        ([tar_member("./bin/x", b"one", mode=0o755)], "have different files at `usr/bin/x`"),
        (
            [tar_member("./usr/bin/x/y", b"one")],
            "differ about `usr/bin/x`, which only one of them takes for a directory",
        ),
    ],
)
def test_packages_in_different_layers_that_have_different_files_in_one_place_are_named(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]], message: str
) -> None:
    one = make_deb(tmp_path, "a", [tar_member("./usr/bin/x", b"one")])
    other = make_deb(tmp_path, "b", members)
    for lower, system in (([one], [other]), ([], [one, other])):
        with pytest.raises(DebError) as caught:
            check(tmp_path, lower, system)
        assert caught.value.message == f"the packages `b 1.0` and `a 1.0` {message}"


def test_what_packages_of_one_layer_replace_is_no_conflict_below_it_is(tmp_path: Path) -> None:
    one = make_deb(tmp_path, "a", [tar_member("./usr/bin/x", b"one")])
    deb, file = make_deb(tmp_path, "b", [tar_member("./usr/bin/x", b"two")])
    other = replace(deb, replaces=("a",)), file
    check(tmp_path, [], [one, other])
    with pytest.raises(DebError, match="have different files"):
        check(tmp_path, [one], [other])


def test_all_conflicts_are_told_at_once(tmp_path: Path) -> None:
    debs = [
        make_deb(
            tmp_path, name, [tar_member("./x", name.encode()), tar_member("./y", name.encode())]
        )
        for name in ("a", "b")
    ]
    with pytest.raises(ProblemsError) as caught:
        check(tmp_path, debs[:1], debs[1:])
    assert len(caught.value.problems) == 2
