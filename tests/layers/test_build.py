"""Building: what is known is not built, what is damaged is made again, two do not do it twice."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import pytest

from cogn.layers import fingerprint
from cogn.layers.build import Builder
from cogn.layers.debian.listing import listings
from cogn.layers.entry import Bytes, Entry
from cogn.layers.errors import ChangedFileError, DebError, LayerError, SealError
from cogn.layers.image import Image, make_image
from cogn.layers.layer import Layer
from cogn.layers.layout import OciLayout
from cogn.layers.notes import LayerNotes
from cogn.layers.publish import publish
from cogn.layers.recipe import (
    FilesRecipe,
    FixupRecipe,
    PackagesRecipe,
    Recipe,
    WheelsRecipe,
    digest_of,
)
from cogn.layers.registry import RegistryDestination
from cogn.layers.weights import read_source, source_recipes
from cogn.lockfiles import Deb, Seal, StandalonePython, Wheel
from cogn.report import Reporter, Task
from cogn.store import Cache
from cogn.store.places import Places
from cogn.store.registry import Reference, Registries, RegistryConfiguration
from support.debian import make_deb, tar_member
from support.images import blob_of, ensure, rot
from support.locks import HEX, make_environment
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

    async def fetch(
        self,
        debs: Sequence[Deb],
        wheels: Sequence[Wheel],
        pythons: Sequence[StandalonePython],
    ) -> Mapping[str, Path]:
        for file in self._files:
            data = file.read_bytes()
            if self._cache.find(hashlib.sha256(data).hexdigest()) is None:
                self._cache.add(data)
        entries: list[Deb | Wheel | StandalonePython] = [*debs, *wheels, *pythons]
        hashes = [each.sha256 for each in entries]
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
        await ensure(builder, layers)
        return layers

    return anyio.run(make)


def hash_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def wheel_of(file: Path) -> Wheel:
    size = file.stat().st_size
    return Wheel(name="sample", version="1.0", file=file.name, sha256=hash_of(file), size=size)


def change(file: Path, data: bytes) -> None:
    file.chmod(0o644)
    file.write_bytes(data)


def test_a_layer_that_is_known_is_not_built_until_its_blob_is_wanted(
    builder: Builder, cache: Cache, journal: Journal
) -> None:
    (layer,) = made(builder, files())
    blob_of(builder, layer).unlink()
    later = Builder((), inputs=Shelf(cache), cache=cache, reporter=journal)
    assert anyio.run(later.layers, [files()]) == [layer]
    assert journal.begun == ["Building files"]
    anyio.run(ensure, later, [layer])
    assert journal.begun == ["Building files", "Building files"]
    assert f"sha256:{hash_of(blob_of(builder, layer))}" == layer.digest


@pytest.mark.parametrize("damage", [b"", b"cut", b"x" * 1000])
def test_a_layer_that_was_changed_in_the_cache_is_made_again(
    builder: Builder, damage: bytes
) -> None:
    (layer,) = made(builder, files())
    change(blob_of(builder, layer), damage)
    assert made(builder, files()) == [layer]
    assert f"sha256:{hash_of(blob_of(builder, layer))}" == layer.digest


def test_an_input_that_rotted_in_the_cache_is_fetched_again(
    cache: Cache, journal: Journal, tmp_path: Path
) -> None:
    file = make_wheel(tmp_path, files={"sample/data.py": b"x = 1\n" * 100})
    wheel = wheel_of(file)
    recipe = WheelsRecipe(name="wheels", architecture="amd64", prefix="site", wheels=(wheel,))
    shelf = Shelf(cache, file)
    expected = made(Builder((), inputs=shelf, cache=cache, reporter=journal), recipe)

    rot(cache.path(wheel.sha256))
    cache.discard(expected[0].digest.removeprefix("sha256:"))
    fresh = Cache(cache.root)
    builder = Builder((), inputs=Shelf(fresh, file), cache=fresh, reporter=journal)
    assert made(builder, recipe) == expected
    assert hash_of(cache.path(wheel.sha256)) == wheel.sha256


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


def test_a_layer_that_several_platforms_share_is_built_once(
    builder: Builder, journal: Journal
) -> None:
    first, second = made(builder, files(), replace(files(), architecture="arm64"))
    assert first == second
    assert journal.begun == ["Building files"]


def test_wheels_of_several_platforms_do_not_meet(
    cache: Cache, journal: Journal, tmp_path: Path
) -> None:
    paths = [
        make_wheel(tmp_path, {"sample.py": tag}, tag=f"py3-none-{tag}") for tag in ("one", "two")
    ]
    recipes = [
        WheelsRecipe(
            name=architecture, architecture=architecture, prefix="site", wheels=(wheel_of(path),)
        )
        for architecture, path in zip(("amd64", "arm64"), paths, strict=True)
    ]
    builder = Builder((), inputs=Shelf(cache, *paths), cache=cache, reporter=journal)
    assert len(set(made(builder, *recipes))) == 2


def packages_of(deb: Deb) -> PackagesRecipe:
    return PackagesRecipe(
        name=deb.name,
        architecture="amd64",
        base=make_environment().base,
        is_base=False,
        debs=(deb,),
    )


def fixup_of(*debs: Deb) -> FixupRecipe:
    return FixupRecipe(
        name="system files",
        architecture="amd64",
        base=make_environment().base,
        debs=(),
        system=debs,
        unrun=(),
        path_file="usr/lib/python/cogn.pth",
        site="opt/cogn/site",
    )


def test_what_completes_a_system_is_made_after_its_packages_which_are_unpacked_once(
    cache: Cache, journal: Journal, tmp_path: Path
) -> None:
    deb, file = make_deb(tmp_path, "sample", [tar_member("./usr/bin/tool", b"#!")])
    builder = Builder((), inputs=Shelf(cache, file), cache=cache, reporter=journal)
    made(builder, fixup_of(deb), packages_of(deb))
    assert journal.begun == ["Building sample", "Building system files"]
    assert listings([(deb, tmp_path / "gone")], cache, tmp_path)


def test_packages_of_different_layers_are_compared_when_the_system_is_completed(
    cache: Cache, journal: Journal, tmp_path: Path
) -> None:
    debs, paths = zip(
        *(make_deb(tmp_path, name, [tar_member("./usr/bin/x", name.encode())]) for name in "ab"),
        strict=True,
    )
    builder = Builder((), inputs=Shelf(cache, *paths), cache=cache, reporter=journal)
    with pytest.raises(DebError, match=r"`b 1\.0` and `a 1\.0` have different files at `usr/bin/x"):
        made(builder, *(packages_of(deb) for deb in debs), fixup_of(*debs))


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

    def find() -> Sequence[FilesRecipe]:
        entries = anyio.run(partial(read_source, root, cache=cache, reporter=Reporter()))
        return source_recipes(entries, architecture="amd64", most=2)

    find()
    (note,) = (cache.root / "notes").glob("files-*/*")
    true = hashlib.sha256(b"one").hexdigest()
    note.write_text(note.read_text().replace(true, HEX))
    with pytest.raises(ChangedFileError):
        made(builder, *find())
    assert len(made(builder, *find())) == 1


def images_of(layer: Layer) -> tuple[list[Image], Mapping[str, str]]:
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
    return [image], {layer.digest: "files"}


def test_a_layout_with_a_damaged_blob_is_mended(builder: Builder, tmp_path: Path) -> None:
    (layer,) = made(builder, files())
    layout = OciLayout(tmp_path / "layout", "latest")
    anyio.run(publish, *images_of(layer), builder, layout)
    blob = tmp_path / "layout/blobs" / layer.digest.replace(":", "/")
    assert blob.samefile(blob_of(builder, layer))
    change(blob, b"damaged, and the cache's with it")
    anyio.run(publish, *images_of(layer), builder, layout)
    assert f"sha256:{hash_of(blob)}" == layer.digest


@pytest.mark.registry
def test_a_blob_that_is_found_damaged_on_its_way_is_made_again(
    builder: Builder, registry: str
) -> None:
    (layer,) = made(builder, files(b"pushed"))
    blob = blob_of(builder, layer)
    good = blob.read_bytes()
    rot(blob)
    received = []

    async def push() -> None:
        async with Registries.open(RegistryConfiguration.load(), Reporter()) as registries:
            repository = await registries.push_target(Reference.parse(f"{registry}/rotten:1"))
            destination = RegistryDestination(repository, places=Places(builder.cache))
            await publish(*images_of(layer), builder, destination)
            received.append(await repository.read_blob(layer.digest, len(good)))

    anyio.run(push)
    assert received == [good]
    assert not blob.exists()  # it went out as it was made
