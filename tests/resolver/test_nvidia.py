"""NVIDIA's images as bases: which one is meant, and what to do when it is gone."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import anyio
import pytest

from cogn.lockfiles import ImageBase
from cogn.report import Reporter
from cogn.resolver import CudaError, ResolveError
from cogn.resolver.image import BaseImage, FoundImage
from cogn.resolver.matrix import load_matrix
from cogn.resolver.nvidia import reference_for
from cogn.resolver.settings import read_settings
from cogn.store import Cache
from cogn.store.places import Places
from cogn.store.registry import Reference, Registries, RegistryConfiguration
from support.bases import LABELS, small_base
from support.locks import AMD64
from support.registry import FakeRegistry

GONE = "12.1.0-base-ubuntu22.04"
NEAR = "12.1.1-base-ubuntu22.04"
LARGE = small_base({"large": random.Random(0).randbytes(1_200_000)}, {"small": b"1"})


def test_a_kind_of_image_is_not_the_name_of_one(tmp_path: Path) -> None:
    path = tmp_path / "cogn.toml"
    path.write_text('base = "nvidia-devel"\n')
    settings = read_settings(path)
    assert (settings.flavour, settings.image) == ("devel", None)
    path.write_text(f'base = "nvidia/cuda:{GONE}"\n')
    settings = read_settings(path)
    assert settings.flavour is None
    assert str(settings.image) == f"docker.io/nvidia/cuda:{GONE}"


@pytest.mark.parametrize(
    ("wanted", "tag"),
    [
        (("runtime", "12.4", True, "22.04"), "12.4.1-cudnn-runtime-ubuntu22.04"),
        (("devel", "12.2.2", True, "22.04"), "12.2.2-cudnn8-devel-ubuntu22.04"),
        (("base", "12.4.1", False, "22.04"), "12.4.1-base-ubuntu22.04"),
    ],
)
def test_the_tag_follows_from_what_the_model_needs(
    wanted: tuple[str, str, bool, str], tag: str
) -> None:
    flavour, cuda, cudnn, ubuntu = wanted
    reference = reference_for(
        flavour,  # type: ignore[arg-type]  # one of them
        cuda,
        cudnn=cudnn,
        ubuntu=ubuntu,
        matrix=load_matrix(),
    )
    assert str(reference) == f"docker.io/nvidia/cuda:{tag}"


@pytest.mark.parametrize(
    ("wanted", "message", "hint"),
    [
        (
            ("runtime", "12.7", True, "22.04"),
            "NVIDIA has no image `runtime` of CUDA 12.7 with cuDNN on Ubuntu 22.04",
            "there are such images of CUDA 12.6.3 and 12.8.0: set `cuda` in cog.yaml, or name an "
            "image",
        ),
        (
            ("base", "12.4", True, "22.04"),
            "NVIDIA has no image `base` of CUDA 12.4 with cuDNN on Ubuntu 22.04",
            "take `nvidia-runtime` or `nvidia-devel`, or name an image",
        ),
    ],
)
def test_a_version_without_an_image_is_an_error_that_names_the_nearest(
    wanted: tuple[str, str, bool, str], message: str, hint: str
) -> None:
    flavour, cuda, cudnn, ubuntu = wanted
    with pytest.raises(CudaError) as caught:
        reference_for(
            flavour,  # type: ignore[arg-type]  # one of them
            cuda,
            cudnn=cudnn,
            ubuntu=ubuntu,
            matrix=load_matrix(),
        )
    assert str(caught.value) == f"cogn.toml, `base`: {message}"
    assert caught.value.hint == hint


@dataclass
class Workshop:
    """A registry with a repository of NVIDIA's, and a machine that locks."""

    registry: FakeRegistry
    cache: Path

    def find(
        self,
        locked: ImageBase | None = None,
        *,
        tag: str = GONE,
        upgrade: bool = False,
        repository: str = "nvidia/cuda",
    ) -> FoundImage:
        async def run() -> FoundImage:
            configuration = RegistryConfiguration({}, {})
            reference = Reference.parse(f"{self.registry.host}/{repository}:{tag}")
            async with Registries.open(configuration, Reporter()) as registries:
                image = BaseImage(reference, registries, Cache(self.cache), Reporter())
                return await image.find(AMD64, locked, upgrade=upgrade)

        return anyio.run(run)

    def lose(self) -> None:
        del self.registry.repositories["nvidia/cuda"]
        self.registry.requests.clear()


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    with FakeRegistry() as registry:
        yield Workshop(registry, tmp_path)


def refused(find: Callable[[], object]) -> ResolveError:
    with pytest.raises(ResolveError) as caught:
        find()
    return caught.value


def test_the_nearest_image_that_is_there_is_named_for_one_that_is_gone(workshop: Workshop) -> None:
    name = f"{workshop.registry.host}/nvidia/cuda"
    message = (
        f"cogn.toml, `base`: `{name}:{GONE}` is not there: no manifest {GONE}; NVIDIA removes its "
        "images some months after their support has ended"
    )
    error = refused(workshop.find)
    assert (str(error), error.hint) == (message, None)
    LARGE.put(workshop.registry, "nvidia/cuda", NEAR)
    error = refused(workshop.find)
    assert str(error) == message
    assert error.hint == f'write `base = "{name}:{NEAR}"`, the nearest that is there'


def test_an_image_of_others_that_is_gone_is_no_matter_of_nvidia(workshop: Workshop) -> None:
    error = refused(partial(workshop.find, repository="team/cuda"))
    name = f"{workshop.registry.host}/team/cuda:{GONE}"
    assert str(error) == f"cogn.toml, `base`: `{name}` is not there: no manifest {GONE}"


def test_a_locked_image_is_not_asked_for_again_and_its_copy_is_named_when_it_is_gone(
    workshop: Workshop,
) -> None:
    LARGE.put(workshop.registry, "nvidia/cuda", GONE)
    found = workshop.find()
    locked = found.base((), (), (), "")
    assert locked.labels == LABELS
    workshop.lose()
    again = workshop.find(locked)
    assert again == replace(found, image=again.image)
    assert again.base((), (), (), "") == locked
    assert workshop.registry.requests == []

    error = refused(partial(workshop.find, locked, upgrade=True))
    assert error.hint == "run `cogn lock` without `--upgrade`, which keeps the one of the lock"

    fresh = replace(workshop, cache=workshop.cache / "fresh")
    error = refused(partial(fresh.find, locked))
    digest = locked.layers[0].digest
    host = workshop.registry.host
    assert f"`{host}/nvidia/cuda:{GONE}@{locked.manifest}`: {digest} is not there" in str(error)
    assert error.hint == (
        "a repository with an image on this base still has its layers: push to its registry, or "
        f'write `[registries."{host}/nvidia/cuda"]` and `mirrors = '
        '["registry.example.com/that/image"]` in cogn.toml'
    )
    Places(Cache(fresh.cache)).add(host, "team/model", locked.layers)
    error = refused(partial(fresh.find, locked))
    assert error.hint == (
        f"`{host}/team/model` has its layers since an earlier push: a push to that registry finds "
        f'them there; else write `[registries."{host}/nvidia/cuda"]` and `mirrors = '
        f'["{host}/team/model"]` in cogn.toml'
    )
