"""Publishing to a registry: what is missing moves, nothing else, whatever the registry says."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from cogn.layers.build import Builder
from cogn.layers.entry import Bytes, Entry
from cogn.layers.errors import LayerError, SealError
from cogn.layers.home import SharedHome
from cogn.layers.image import Image, make_image
from cogn.layers.layer import Layer
from cogn.layers.publish import Publication, publish
from cogn.layers.recipe import FilesRecipe, digest_of
from cogn.layers.registry import RegistryDestination
from cogn.lockfiles import Seal
from cogn.report import Reporter, Task
from cogn.store import Cache
from cogn.store.places import Places
from cogn.store.registry import Reference, Registries, RegistryConfiguration
from cogn.store.tasks import task_group
from support import registry as fake
from support.images import build_image, make_builder
from support.locks import HEX
from support.registry import Answer, Endpoint, FakeRegistry, Fault, first

NOISE = random.Random(3).randbytes(9_000_000)
"""Large enough for a shared home, and no smaller when it is compressed."""


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    return make_builder(tmp_path / "cache")


class Journal(Reporter):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str, *, hint: str | None = None) -> None:
        self.warnings.append(message)


def push(
    registry: FakeRegistry,
    builder: Builder,
    image: Image,
    names: dict[str, str],
    *,
    repository: str = "team/model",
    home: str | None = None,
    reporter: Reporter | None = None,
) -> int:
    """Publish the image; return how many bytes of blobs were sent."""

    async def run() -> int:
        async with Registries.open(RegistryConfiguration.load(), Reporter()) as registries:
            target = await registries.push_target(
                Reference.parse(f"{registry.host}/{repository}:1")
            )
            shared = None
            if home is not None:
                place = await registries.push_target(Reference.parse(f"{registry.host}/{home}"))
                shared = SharedHome(place, target, reporter or Reporter())
            destination = RegistryDestination(target, places=Places(builder.cache), home=shared)
            await publish([image], names, builder, destination)
            return destination.sent

    return anyio.run(run)


def noisy_image(builder: Builder) -> tuple[Image, dict[str, str]]:
    """Return an image with a layer that is worth a home."""
    entry = Entry.file("src/noise", Bytes(NOISE))
    recipe = FilesRecipe(name="noise", architecture="amd64", entries=(entry,))
    (layer,) = anyio.run(builder.layers, [recipe])
    return image_of(layer), {layer.digest: "noise"}


def image_of(layer: Layer) -> Image:
    return make_image(
        [("noise", layer)],
        platform="linux/amd64",
        environment={},
        labels={},
        entrypoint=(),
        command=("true",),
        working_directory="/",
        port=5000,
    )


def blobs_in(cache: Cache) -> set[str]:
    return {path.name for path in (cache.root / "blobs").glob("*/*/*")}


def assert_there(registry: FakeRegistry, image: Image, repository: str = "team/model") -> None:
    stored = registry.repositories[repository]
    assert stored.tags["1"] == image.digest
    assert {layer.digest for layer in image.layers} <= stored.blobs.keys()


def test_what_is_sealed_and_missing_is_streamed_and_not_kept(builder: Builder) -> None:
    image, names = build_image(builder)
    for layer in image.layers:
        builder.discard(layer)
    with FakeRegistry() as registry:
        sent = push(registry, builder, image, names)
        assert_there(registry, image)
    assert sent == sum(layer.size for layer in image.layers) + len(image.config.data)
    assert blobs_in(builder.cache) == set()


def test_of_the_same_image_nothing_is_sent_and_little_asked(builder: Builder) -> None:
    image, names = build_image(builder)
    with FakeRegistry() as registry:
        push(registry, builder, image, names)
        before = len(registry.requests)
        assert push(registry, builder, image, names) == 0
        assert [f"{r.method} {r.endpoint}" for r in registry.requests[before:]] == [
            "GET ping",
            "GET manifest get",
        ]


def test_of_a_changed_image_the_change_is_sent(builder: Builder) -> None:
    image, names = build_image(builder)
    changed, changed_names = build_image(builder, b"other text")
    with FakeRegistry() as registry:
        push(registry, builder, image, names)
        sent = push(registry, builder, changed, changed_names)
        assert_there(registry, changed)
    assert sent == changed.layers[-1].size + len(changed.config.data)


def test_a_layer_starts_before_the_others_are_known(builder: Builder) -> None:
    image, names = build_image(builder)
    lower, upper = image.layers

    async def run(registry: FakeRegistry) -> None:
        pushed = anyio.Event()

        class Bell(Reporter):
            @contextmanager
            def task(self, verb: str, name: str, total: int | None = None) -> Iterator[Task]:  # type: ignore[override]
                yield Task()
                pushed.set()

        async with Registries.open(RegistryConfiguration.load(), Bell()) as registries:
            target = await registries.push_target(Reference.parse(f"{registry.host}/m:1"))
            destination = RegistryDestination(target, places=Places(builder.cache))
            async with task_group() as tasks:
                publication = Publication(destination, builder, tasks)
                publication.offer(names[lower.digest], lower)
                with anyio.fail_after(10):
                    await pushed.wait()
                publication.offer(names[upper.digest], upper)
                publication.offer_configs([image])
            await publication.finish([image])

    with FakeRegistry() as registry:
        anyio.run(run, registry)
        assert registry.repositories["m"].tags["1"] == image.digest


def test_a_layer_that_another_repository_has_is_mounted(builder: Builder) -> None:
    image, names = noisy_image(builder)
    with FakeRegistry() as registry:
        push(registry, builder, image, names, repository="team/first")
        assert push(registry, builder, image, names) == len(image.config.data)
        assert_there(registry, image)


def test_a_stream_that_is_not_what_was_sealed_does_not_arrive(
    builder: Builder, tmp_path: Path
) -> None:
    entry = Entry.file("src/file", Bytes(b"text"))
    recipe = FilesRecipe(name="files", architecture="amd64", entries=(entry,))
    (layer,) = anyio.run(builder.layers, [recipe])
    seal = Seal(
        layer="files",
        recipe=digest_of(recipe),
        diff_id=layer.diff_id,
        digest=f"sha256:{HEX}",
        size=layer.size,
    )
    sealed = Builder(
        [seal], inputs=Unreachable(), cache=Cache(tmp_path / "other"), reporter=Reporter()
    )
    (wrong,) = anyio.run(sealed.layers, [recipe])
    with FakeRegistry() as registry:
        with pytest.raises(SealError, match=f"`files` came out as {layer.digest}"):
            push(registry, sealed, image_of(wrong), {wrong.digest: "files"})
        assert registry.uploads == 0
        assert "1" not in registry.repositories["team/model"].tags


class Unreachable:
    async def fetch(self, *entries: Sequence[object]) -> dict[str, Path]:
        raise AssertionError


LIES = {
    "a blob that is named": [],
    "blobs that are not named": [
        Fault(Answer(400, code="MANIFEST_BLOB_UNKNOWN"), on=Endpoint.MANIFEST_PUT, times=first(1))
    ],
}


@pytest.mark.parametrize("faults", LIES.values(), ids=LIES)
def test_what_a_registry_only_said_to_have_is_sent_after_all(
    builder: Builder, faults: list[Fault]
) -> None:
    image, names = build_image(builder)
    lie = Fault(fake.ClaimBlob(), on=Endpoint.BLOB_HEAD, containing=image.layers[0].digest)
    with FakeRegistry(faults=[*faults, lie]) as registry:
        sent = push(registry, builder, image, names)
        assert_there(registry, image)
    assert sent == sum(layer.size for layer in image.layers) + len(image.config.data)


def test_a_registry_that_never_keeps_a_blob_is_an_error(builder: Builder) -> None:
    image, names = build_image(builder)
    refusal = Fault(fake.RefuseBlob(), on=Endpoint.MANIFEST_PUT)
    with (
        FakeRegistry(faults=[refusal]) as registry,
        pytest.raises(LayerError, match="does not keep what it is sent"),
    ):
        push(registry, builder, image, names)


def test_large_layers_live_in_the_shared_home(builder: Builder) -> None:
    image, names = noisy_image(builder)
    with FakeRegistry() as registry:
        push(registry, builder, image, names, home="shared/blobs")
        before = registry.received
        other = make_builder(builder.cache.root.parent / "another machine")
        push(registry, other, *noisy_image(other), repository="team/other", home="shared/blobs")
        assert registry.received - before < 20_000
        assert_there(registry, image)
        assert_there(registry, image, "team/other")
        (layer,) = image.layers
        home = registry.repositories["shared/blobs"]
        assert home.tags.keys() == {f"layer-{layer.digest.removeprefix('sha256:')}"}


def test_without_mounts_no_layer_goes_home(builder: Builder) -> None:
    image, names = noisy_image(builder)
    journal = Journal()
    with FakeRegistry(faults=[Fault(fake.DeclineMount(), on=Endpoint.MOUNT)]) as registry:
        push(registry, builder, image, names, home="shared/blobs", reporter=journal)
        assert registry.received < len(NOISE) + 100_000
        assert_there(registry, image)
    assert len(journal.warnings) == 1
    assert "does not mount from" in journal.warnings[0]
