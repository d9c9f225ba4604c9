"""Directories of files for machines without a network: made, read, and never trusted."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import anyio
import pytest

from cogn.report import Reporter
from cogn.store import Cache
from cogn.store.errors import VendorError
from cogn.store.vendor import VENDOR_MARK, VendorDirectory

CONTENTS = {"wheels/one.whl": b"one", "debs/two.deb": b"two, which is longer"}
PATHS = {hashlib.sha256(content).hexdigest(): path for path, content in CONTENTS.items()}
ONE, TWO = PATHS


class House:
    """A directory with both files, and another machine's cache without them."""

    def __init__(self, base: Path) -> None:
        self.root = base / "vendor"
        self.source = Cache(base / "source")
        for content in CONTENTS.values():
            self.source.add(content)
        self.cache = Cache(base / "cache")
        self.fill()

    def fill(self) -> Sequence[str]:
        """Do what `cogn vendor` does; return the hashes of what was not there."""

        async def run() -> Sequence[str]:
            directory = VendorDirectory.made(self.root, PATHS, Reporter())
            missing = await directory.missing(PATHS)
            await directory.put(missing, self.source)
            return missing

        return anyio.run(run)

    def bring(self, *hashes: str) -> None:
        directory = VendorDirectory.opened(self.root, PATHS, Reporter())
        call: Callable[..., Awaitable[None]] = directory.bring
        anyio.run(call, hashes, self.cache)

    def replace(self, content: bytes) -> Path:
        """Put something else in the place of the first file."""
        path = self.root / PATHS[ONE]
        path.unlink()
        path.write_bytes(content)
        return path


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_what_is_written_can_be_read_where_nothing_else_is(house: House) -> None:
    house.bring(ONE, TWO, "0" * 64)
    for sha256, path in PATHS.items():
        assert house.cache.path(sha256).read_bytes() == CONTENTS[path]
        assert (house.root / path).read_bytes() == CONTENTS[path]
    assert not house.cache.path("0" * 64).exists()


def test_writing_again_writes_only_what_is_missing_or_wrong(house: House) -> None:
    assert house.fill() == []
    path = house.replace(b"on")
    (house.root / "mine.txt").write_bytes(b"")
    assert house.fill() == [ONE]
    assert path.read_bytes() == CONTENTS[PATHS[ONE]]
    directory = VendorDirectory.opened(house.root, PATHS, Reporter())
    assert (directory.others(), directory.size()) == (1, sum(map(len, CONTENTS.values())))
    assert sorted(each.name for each in house.root.iterdir()) == [
        VENDOR_MARK,
        "debs",
        "mine.txt",
        "wheels",
    ]


@pytest.mark.parametrize("content", [b"on", b"two, which is longer", b""])
def test_a_file_that_is_cut_short_or_another_one_is_named_and_not_used(
    house: House, content: bytes
) -> None:
    path = house.replace(content)
    with pytest.raises(VendorError) as caught:
        house.bring(ONE)
    found = hashlib.sha256(content).hexdigest()
    assert caught.value.message == (
        f"`{path}` is not what the lock names: expected sha256 {ONE}, got {found}"
    )
    assert caught.value.hint == "run `cogn vendor` again, which replaces it, and copy it whole"
    assert house.cache.find(ONE) is None


def test_a_link_out_of_the_directory_is_not_followed(house: House, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(CONTENTS[PATHS[ONE]])
    path = house.root / PATHS[ONE]
    path.unlink()
    path.symlink_to(secret)
    for attempt in (lambda: house.bring(ONE), house.fill):
        with pytest.raises(VendorError) as caught:
            attempt()
        assert caught.value.message == f"`{path}` leads out of `{house.root}`"
    assert house.cache.find(ONE) is None


def test_a_directory_above_a_file_may_not_lead_out_either(house: House, tmp_path: Path) -> None:
    (house.root / "wheels").rename(tmp_path / "elsewhere")
    (house.root / "wheels").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(VendorError, match="leads out of"):
        house.bring(ONE)
    (tmp_path / "elsewhere" / "one.whl").unlink()
    with pytest.raises(VendorError, match="leads out of"):
        house.fill()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_links_within_the_directory_and_to_it_are_followed(house: House, tmp_path: Path) -> None:
    (house.root / PATHS[ONE]).rename(house.root / "moved")
    (house.root / PATHS[ONE]).symlink_to("../moved")
    (tmp_path / "link").symlink_to(house.root)
    house.root = tmp_path / "link"
    house.bring(ONE)
    assert house.cache.find(ONE)


def test_a_directory_in_the_place_of_a_file_is_an_error(house: House) -> None:
    path = house.root / PATHS[ONE]
    path.unlink()
    path.mkdir()
    with pytest.raises(VendorError) as caught:
        house.bring(ONE)
    assert caught.value.message == f"`{path}` is no file"
    with pytest.raises(VendorError, match="cannot be written: Is a directory"):
        house.fill()


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        (None, "`{}` is no directory that `cogn vendor` made"),
        (b'{"format":2}', "`{}` has format 2, and this cogn reads 1"),
        (b"[]", "`{}/cogn-vendor.json` cannot be read: Expected `object`, got `array`"),
    ],
)
def test_a_directory_that_was_not_made_so_is_none(
    house: House, mark: bytes | None, message: str
) -> None:
    path = house.root / VENDOR_MARK
    path.unlink()
    if mark is not None:
        path.write_bytes(mark)
    with pytest.raises(VendorError) as caught:
        house.bring(ONE)
    assert caught.value.message == message.format(house.root)
    assert caught.value.hint == "make it with `cogn vendor` where there is a network"


def test_a_directory_with_other_files_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_bytes(b"")
    with pytest.raises(VendorError) as caught:
        VendorDirectory.made(tmp_path, PATHS, Reporter())
    assert caught.value.message == (
        f"`{tmp_path}` has other files in it and was not made by `cogn vendor`"
    )
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(VendorError, match=r"/file` cannot be written: File exists"):
        VendorDirectory.made(tmp_path / "file", PATHS, Reporter())
