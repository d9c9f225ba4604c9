"""Building: what is known is not built, what is damaged is made again, two do not do it twice."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import anyio
import pytest

from cogn.layers import fingerprint
from cogn.layers.build import Builder
from cogn.layers.entry import Bytes, Entry
from cogn.layers.errors import ChangedFileError, LayerError, SealError
from cogn.layers.image import Image, make_image
from cogn.layers.layer import Layer
from cogn.layers.layout import OciLayout
from cogn.layers.notes import LayerNotes
from cogn.layers.publish import RegistryDestination, publish
from cogn.layers.recipe import FilesRecipe, Recipe, WheelsRecipe, digest_of
from cogn.layers.weights import source_recipes
from cogn.lockfiles import Deb, Seal, Wheel
from cogn.report import Reporter, Task
from cogn.store import Cache
from cogn.store.registry import Reference, Repository
from support.locks import HEX
from support.wheels import make_wheel


class Journal(Reporter):
    """Keeps what was begun."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def task(self, verb: str, name: str, total: int | None = None) -> Task:
        journal = self

        class Noted(Task):
            def __enter__(self) -> Noted:
                journal.begun.append(f"{verb} {name}")
                return self

        return Noted()


class Shelf:
    """Inputs that are copied into the cache when it lacks them."""

    def __init__(self, cache: Cache, *files: Path) -> None:
        self._cache = cache
        self._files = files

    async def fetch(self, debs: Sequence[Deb], wheels: Sequence[Wheel]) -> Mapping[str, Path]:
        for file in self._files:
            data = file.read_bytes()
            if self._cache.find(hashlib.sha256(data).hexdigest()) is None:
                self._cache.add(data)
        hashes = [*(deb.sha256 for deb in debs), *(wheel.sha256 for wheel in wheels)]
        return {sha256: self._cache.path(sha256) for sha256 in hashes}


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def builder(cache: Cache, journal: Journal) -> Builder:
    return Builder((), inputs=Shelf(cache), cache=cache, reporter=journal)


def files(text: bytes = b"text", name: str = "files") -> FilesRecipe:
    entry = Entry.file("src/file", Bytes(text))
    return FilesRecipe(name=name, architecture="amd64", entries=(entry,))


def made(builder: Builder, *recipes: Recipe) -> list[Layer]:
    """Return the layers of recipes, with their blobs in the cache."""

    async def make() -> list[Layer]:
        layers = await builder.layers(recipes)
        await builder.ensure(layers)
        return layers

    return anyio.run(make)


def hash_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def change(file: Path, data: bytes) -> None:
    file.chmod(0o644)
    file.write_bytes(data)


def rot(file: Path) -> None:
    """Flip a bit as a disk would: without a trace in the file's times."""
    status = file.stat()
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    change(file, bytes(data))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_layer_that_is_known_is_not_built_until_its_blob_is_wanted(
    builder: Builder, cache: Cache, journal: Journal
) -> None:
    (layer,) = made(builder, files())
    builder.blob(layer).unlink()
    later = Builder((), inputs=Shelf(cache), cache=cache, reporter=journal)
    assert anyio.run(later.layers, [files()]) == [layer]
    assert journal.begun == ["Building files"]
    anyio.run(later.ensure, [layer])
    assert journal.begun == ["Building files", "Building files"]
    assert f"sha256:{hash_of(builder.blob(layer))}" == layer.digest


@pytest.mark.parametrize("damage", [b"", b"cut", b"x" * 1000])
def test_a_layer_that_was_changed_in_the_cache_is_made_again(
    builder: Builder, damage: bytes
) -> None:
    (layer,) = made(builder, files())
    change(builder.blob(layer), damage)
    assert made(builder, files()) == [layer]
    assert f"sha256:{hash_of(builder.blob(layer))}" == layer.digest


def test_an_input_that_rotted_in_the_cache_is_fetched_again(
    cache: Cache, journal: Journal, tmp_path: Path
) -> None:
    file = make_wheel(tmp_path, files={"sample/data.py": b"x = 1\n" * 100})
    sha256 = hash_of(file)
    wheel = Wheel(
        name="sample", version="1.0", file=file.name, sha256=sha256, size=file.stat().st_size
    )
    recipe = WheelsRecipe(name="wheels", architecture="amd64", prefix="site", wheels=(wheel,))
    shelf = Shelf(cache, file)
    expected = made(Builder((), inputs=shelf, cache=cache, reporter=journal), recipe)

    rot(cache.path(sha256))
    cache.discard(expected[0].digest.removeprefix("sha256:"))
    fresh = Cache(cache.root)
    builder = Builder((), inputs=Shelf(fresh, file), cache=fresh, reporter=journal)
    assert made(builder, recipe) == expected
    assert hash_of(cache.path(sha256)) == sha256


def test_what_two_want_at_the_same_time_is_built_once(cache: Cache, journal: Journal) -> None:
    recipe = files(bytes(20_000_000))
    layers = []

    async def build() -> None:
        builder = Builder((), inputs=Shelf(Cache(cache.root)), cache=cache, reporter=journal)
        layers.append(await builder.layers([recipe]))

    async def both() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(build)
            tasks.start_soon(build)

    anyio.run(both)
    assert layers[0] == layers[1]
    assert sorted(journal.begun) == [
        "Building files",
        "Waiting for another cogn to build files",
    ]
    assert list((cache.root / "locks").iterdir()) == []


def test_a_layer_that_comes_out_as_never_before_is_an_error_once(
    builder: Builder, cache: Cache
) -> None:
    (layer,) = made(builder, files())
    other = Layer(diff_id=layer.diff_id, digest=f"sha256:{HEX}", size=layer.size)
    cache.discard(layer.digest.removeprefix("sha256:"))
    LayerNotes(cache).keep(digest_of(files()), other)
    with pytest.raises(LayerError, match=f"came out as {layer.digest}, but as sha256:{HEX}"):
        made(builder, files())
    assert made(builder, files()) == [layer]


def test_a_cached_layer_that_is_not_the_sealed_one_is_an_error(
    builder: Builder, cache: Cache, journal: Journal
) -> None:
    (layer,) = made(builder, files())
    seal = Seal(
        layer="files",
        recipe=digest_of(files()),
        diff_id=layer.diff_id,
        digest=f"sha256:{HEX}",
        size=layer.size,
    )
    sealed = Builder([seal], inputs=Shelf(cache), cache=cache, reporter=journal)
    with pytest.raises(SealError):
        made(sealed, files())


def test_a_wrong_memory_of_a_file_is_an_error_once(
    builder: Builder, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprint, "_SETTLED", -60 * 10**9)
    root = tmp_path / "tree"
    root.mkdir()
    (root / "file").write_bytes(b"one")
    find = partial(
        source_recipes, root, architecture="amd64", most=2, cache=cache, reporter=Reporter()
    )
    anyio.run(find)
    (note,) = (cache.root / "notes").glob("files-*/*")
    true = hashlib.sha256(b"one").hexdigest()
    note.write_text(note.read_text().replace(true, HEX))
    with pytest.raises(ChangedFileError):
        made(builder, *anyio.run(find))
    assert len(made(builder, *anyio.run(find))) == 1


def image_of(layer: Layer) -> tuple[Image, Mapping[str, str]]:
    image = make_image(
        [("files", layer)],
        platform="linux/amd64",
        environment={},
        labels={},
        entrypoint=(),
        command=("true",),
        working_directory="/",
        port=5000,
    )
    return image, {layer.digest: "files"}


def test_a_layout_with_a_damaged_blob_is_mended(builder: Builder, tmp_path: Path) -> None:
    (layer,) = made(builder, files())
    layout = OciLayout(tmp_path / "layout", "latest")
    anyio.run(publish, *image_of(layer), builder, layout)
    blob = tmp_path / "layout/blobs" / layer.digest.replace(":", "/")
    assert blob.samefile(builder.blob(layer))
    change(blob, b"damaged, and the cache's with it")
    anyio.run(publish, *image_of(layer), builder, layout)
    assert f"sha256:{hash_of(blob)}" == layer.digest


@pytest.mark.registry
def test_a_blob_that_is_found_damaged_on_its_way_is_made_again(
    builder: Builder, registry: str
) -> None:
    (layer,) = made(builder, files(b"pushed"))
    blob = builder.blob(layer)
    good = blob.read_bytes()
    rot(blob)

    async def push() -> None:
        reference = Reference.parse(f"{registry}/rotten:1")
        async with Repository.open(reference, Reporter()) as repository:
            await publish(*image_of(layer), builder, RegistryDestination(repository))
            assert await repository.has_blob(layer.digest)

    anyio.run(push)
    assert blob.read_bytes() == good
