"""The source tree as layers: weights apart from code, and nothing read twice."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Never

import anyio
import pytest

from cogn.layers import fingerprint, weights
from cogn.layers.entry import Entry, WholeFile
from cogn.layers.errors import ChangedFileError, SourceError
from cogn.layers.recipe import FilesRecipe, digest_of
from cogn.layers.weights import read_source, source_recipes
from cogn.report import Reporter
from cogn.store import Cache
from support.layers import write_layer

NOISE = random.Random(0).randbytes(300_000)


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_LARGE", 100_000)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files be remembered that were written a moment ago, as if it were longer."""
    monkeypatch.setattr(fingerprint, "_SETTLED", -60 * 10**9)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "models").mkdir(parents=True)
    (root / "predict.py").write_text("class Predictor: ...")
    (root / "models/a.bin").write_bytes(NOISE[:150_000])
    (root / "models/b.bin").write_bytes(NOISE)
    (root / "zeros.npy").write_bytes(bytes(200_000))
    return root


def recipes(root: Path, cache: Path | None = None, *, most: int = 10) -> Sequence[FilesRecipe]:
    read = partial(
        read_source, root, cache=Cache(cache or root.parent / "cache"), reporter=Reporter()
    )
    return source_recipes(anyio.run(read), architecture="amd64", most=most)


def digests(root: Path, cache: Path | None = None) -> list[str]:
    return [digest_of(recipe) for recipe in recipes(root, cache)]


def refuse_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: Path, large: int) -> Never:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(weights, "take_fingerprint", read)


def test_each_large_file_has_a_layer_below_the_source_largest_first(tree: Path) -> None:
    found = recipes(tree)
    assert [recipe.name for recipe in found] == [
        "weights models/b.bin",
        "weights zeros.npy",
        "weights models/a.bin",
        "source",
    ]
    assert [list(write_layer(recipe.entries).files()) for recipe in found] == [
        ["src/models/b.bin"],
        ["src/zeros.npy"],
        ["src/models/a.bin"],
        ["src/predict.py"],
    ]


def test_beyond_the_layers_an_image_may_have_the_smallest_share_one(tree: Path) -> None:
    assert [recipe.name for recipe in recipes(tree, most=4)][-2:] == [
        "weights models/a.bin",
        "source",
    ]
    assert [recipe.name for recipe in recipes(tree, most=3)] == [
        "weights models/b.bin",
        "more weights",
        "source",
    ]
    assert [recipe.name for recipe in recipes(tree, most=2)] == ["more weights", "source"]


def test_what_does_not_compress_is_stored_and_the_rest_is_compressed(tree: Path) -> None:
    noise, zeros = (write_layer(recipe.entries) for recipe in recipes(tree)[:2])
    assert NOISE[:30_000] in noise.blob
    assert noise.files() == {"src/models/b.bin": (0o644, NOISE)}
    assert zeros.files() == {"src/zeros.npy": (0o644, bytes(200_000))}
    assert len(zeros.blob) < 2_000


@pytest.mark.parametrize("size", [0, 1, 32_767, 32_768, 32_769, 262_144, 300_000])
def test_a_stored_file_of_any_size_is_whole(tmp_path: Path, size: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(NOISE[:size])
    content = WholeFile(file, size, fingerprint.take_fingerprint(file, large=0)[1].sha256, False)
    written = write_layer([Entry.file("file", content)])
    assert written.files() == {"file": (0o644, NOISE[:size])}
    assert len(written.blob) < size + 400


def test_a_recipe_depends_on_path_mode_and_content_alone(tree: Path, tmp_path: Path) -> None:
    before = digests(tree)
    os.utime(tree / "models/b.bin", (1, 1))
    assert digests(tree, tmp_path / "other") == before
    (tree / "models/b.bin").chmod(0o755)
    changed = digests(tree)
    assert [one == other for one, other in zip(changed, before, strict=True)] == [
        *(False, True, True, True)
    ]


@pytest.mark.usefixtures("at_once")
def test_files_that_did_not_change_are_not_read_again(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digests(tree)
    refuse_reading(monkeypatch)
    assert digests(tree) == before


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("file", ["predict.py", "models/b.bin"])
def test_a_change_is_noticed_whatever_it_does_to_the_times(tree: Path, file: str) -> None:
    before = digests(tree)
    status = (tree / file).stat()
    data = (tree / file).read_bytes()
    time.sleep(0.02)  # the clock of file systems ticks a hundred times a second
    (tree / file).write_bytes(data[::-1])
    os.utime(tree / file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert digests(tree) != before


def test_a_file_that_changed_right_before_it_was_read_is_read_again(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests(tree)
    refuse_reading(monkeypatch)
    with pytest.raises(AssertionError, match="was read"):
        digests(tree)


@pytest.mark.usefixtures("at_once")
def test_a_damaged_memo_is_as_good_as_none(tree: Path) -> None:
    before = digests(tree)
    (note,) = (tree.parent / "cache/notes").glob("*/*")
    note.write_bytes(b"{")
    assert digests(tree) == before


def test_a_file_that_changes_while_it_is_read_is_an_error(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(file: object, size: int) -> bool:
        with (tree / "models/b.bin").open("ab") as appended:
            appended.write(b"more")
        return False

    monkeypatch.setattr(fingerprint, "compresses", change)
    with pytest.raises(ChangedFileError, match=r"b\.bin` changed while it was read"):
        recipes(tree)


def test_a_file_that_changed_since_it_was_hashed_is_not_packed(tree: Path) -> None:
    recipe = recipes(tree)[0]
    (tree / "models/b.bin").write_bytes(NOISE[::-1])
    with pytest.raises(ChangedFileError) as caught:
        write_layer(recipe.entries)
    assert caught.value.hint == "run again when nothing writes to it"
    (tree / "models/b.bin").write_bytes(NOISE[:-1])
    with pytest.raises(ChangedFileError):
        write_layer(recipe.entries)


def test_a_file_that_is_gone_is_an_error(tree: Path) -> None:
    recipe = recipes(tree)[0]
    (tree / "models/b.bin").unlink()
    with pytest.raises(SourceError, match=r"b\.bin` cannot be read: No such file"):
        write_layer(recipe.entries)
