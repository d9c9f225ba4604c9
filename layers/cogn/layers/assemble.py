"""From a lock and a source tree to images: plan, build what is unknown, describe."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from cogn.layers.base import base_layers
from cogn.layers.build import Builder, Offer, nobody
from cogn.layers.dockerignore import FILE_NAME
from cogn.layers.entry import Bytes, Entry
from cogn.layers.errors import SourceError
from cogn.layers.image import Image, make_image
from cogn.layers.layer import Layer
from cogn.layers.plan import MOST_LAYERS, PYTHON, SITE, plan
from cogn.layers.recipe import Recipe
from cogn.layers.seals import require_sealed, seals_of
from cogn.layers.source import SOURCE
from cogn.layers.weights import read_source, source_recipes
from cogn.lockfiles import Base, Environment, ImageBase, Lock, Platform, Seal, StandalonePython
from cogn.store.tasks import later, task_group

__all__ = ["Assembled", "Model", "assemble"]

_PORT = 5000
_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_ENTRYPOINT = ("/usr/bin/tini", "--")
_COMMAND = ("python", "-m", "cog.server.http")
# What asks the container runtime for the GPU, where the base does not, as NVIDIA's do. No
# CUDA_VERSION: without more it makes the runtime take the image for one of old, with its rules.
_GPU_ENVIRONMENT = {
    "NVIDIA_VISIBLE_DEVICES": "all",
    "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
}
_REQUIRE = "NVIDIA_REQUIRE_CUDA"
"""The variable with what has to be true of the machine, or the container does not start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What an image takes from the project itself."""

    source: Path
    reference: str
    """Where the predictor is: ``predict.py:Predictor``."""
    gpu: bool
    environment: Mapping[str, str]
    config: Mapping[str, Any]
    """The configuration as plain data, for the label that Cog's tools read."""
    version: str
    """The version of the runtime."""
    openapi: str
    """The OpenAPI document of the predictor, as JSON."""
    train: str | None = None
    """Where what trains the model is, if there is any: ``train.py:train``."""
    name: str | None = None
    """The image's repository, if the configuration names one."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Further labels, which go before cogn's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """Images, the names of their layers by digest, and the lock with their seals."""

    images: tuple[Image, ...]
    names: Mapping[str, str]
    lock: Lock


async def assemble(
    lock: Lock,
    platforms: Iterable[Platform],
    model: Model,
    builder: Builder,
    *,
    offer: Offer = nobody,
    frozen: bool = False,
) -> Assembled:
    """Return the images of `model`, one for each of `platforms`, in the environments of `lock`.

    Layers that are sealed or cached are not built; each layer is offered as soon as it is known.
    Raises the errors of building and of packing the source, and `SealError` for a layer of the
    environment that is not sealed although the lock is frozen.
    """
    plans = {platform: plan(lock, platform) for platform in platforms}
    if frozen:
        for platform, recipes in plans.items():
            require_sealed(recipes, lock.environments[platform].seals, builder.compression)
    bases = {each: base_layers(lock.environments[each].base) for each in plans}
    for name, layer in (pair for each in bases.values() for pair in each):
        offer(name, layer)
    every = [recipe for recipes in plans.values() for recipe in recipes]

    async def of_source() -> dict[Platform, list[tuple[str, Layer]]]:
        entries = await read_source(model.source, cache=builder.cache, reporter=builder.reporter)
        _require_predictor(model, entries)
        entries = _with_document(entries, model.openapi)
        named = {}
        for platform, recipes in plans.items():
            files = source_recipes(
                entries,
                architecture=platform.partition("/")[2],
                most=MOST_LAYERS - len(bases[platform]) - len(recipes),
            )
            named[platform] = _named(files, await builder.layers(files, offer))
        return named

    async with task_group() as tasks:
        environments = later(tasks, partial(builder.layers, every, offer))
        source = later(tasks, of_source)
    made = dict(zip(every, environments.value, strict=True))
    images: list[Image] = []
    names: dict[str, str] = {}
    seals: dict[Platform, tuple[Seal, ...]] = {}
    for platform, recipes in plans.items():
        layers = [made[recipe] for recipe in recipes]
        named = [*bases[platform], *_named(recipes, layers), *source.value[platform]]
        images.append(_image(lock, platform, model, named))
        names |= {layer.digest: name for name, layer in named}
        seals[platform] = seals_of(
            recipes, layers, lock.environments[platform].seals, builder.compression
        )
    return Assembled(images=tuple(images), names=names, lock=lock.sealed(seals))


def _named(recipes: Sequence[Recipe], layers: Sequence[Layer]) -> list[tuple[str, Layer]]:
    return [(recipe.name, layer) for recipe, layer in zip(recipes, layers, strict=True)]


def _require_predictor(model: Model, source: Iterable[Entry]) -> None:
    """Raise `SourceError` unless the files of the predictor and the training go into the image."""
    paths = {entry.path for entry in source}
    for reference, what in ((model.reference, "the predictor"), (model.train, "the training")):
        if reference is None:
            continue
        file = posixpath.normpath(reference.partition(":")[0])
        if f"{SOURCE}/{file}" not in paths:
            raise SourceError(
                f"`{file}`, which has {what}, does not go into the image",
                hint=f"see whether a line of `{FILE_NAME}` leaves it out",
            )


def _with_document(source: Iterable[Entry], openapi: str) -> list[Entry]:
    """Return the source with the document where the server, as Cog's, looks for it."""
    directory, file = f"{SOURCE}/.cog", f"{SOURCE}/.cog/openapi_schema.json"
    others = [entry for entry in source if entry.path not in {directory, file}]
    return [*others, Entry.directory(directory), Entry.file(file, Bytes(openapi.encode()))]


def _image(
    lock: Lock, platform: Platform, model: Model, layers: Sequence[tuple[str, Layer]]
) -> Image:
    return make_image(
        layers,
        platform=platform,
        environment=_environment(lock.environments[platform], model),
        labels=_labels(lock, platform, model),
        entrypoint=_ENTRYPOINT,
        command=_COMMAND,
        working_directory=f"/{SOURCE}",
        port=_PORT,
        annotations=_annotations(lock.environments[platform].base),
    )


def _annotations(base: Base) -> dict[str, str]:
    """Return what OCI says to note of an image that is based on another."""
    if not isinstance(base, ImageBase):
        return {}
    prefix = "org.opencontainers.image.base"
    return {f"{prefix}.name": base.reference, f"{prefix}.digest": base.manifest}


def _environment(locked: Environment, model: Model) -> dict[str, str]:
    base = locked.base.environment if isinstance(locked.base, ImageBase) else ()
    inherited = {name: value for name, _, value in (each.partition("=") for each in base)}
    # Ours come first, as `python` has to be the image's own; the base's own programs stay in reach.
    own = [f"/{SITE}/bin"]
    if isinstance(locked.python, StandalonePython):  # pip puts programs beside it
        own.append(f"/{PYTHON}/bin")
    path = dict.fromkeys([*own, *_PATH, *filter(None, inherited.get("PATH", "").split(":"))])
    environment = inherited | {
        "PATH": ":".join(path),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "COG_PREDICT_TYPE_STUB": model.reference,
    }
    if model.train is not None:
        environment["COG_TRAIN_TYPE_STUB"] = model.train
    if model.gpu:
        environment = _GPU_ENVIRONMENT | environment
        if locked.cuda is not None:
            major = int(locked.cuda.version.partition(".")[0])
            if major > _required_cuda(environment):
                environment[_REQUIRE] = f"cuda>={major}.0"
    return environment | dict(model.environment)


def _required_cuda(environment: Mapping[str, str]) -> int:
    """Return the major version of CUDA that a base asks of the driver, 0 when it asks for none."""
    match = re.search(r"\bcuda>=(\d+)", environment.get(_REQUIRE, ""))
    return int(match[1]) if match else 0


def _labels(lock: Lock, platform: Platform, model: Model) -> dict[str, str]:
    # Without seals, which the first build adds, and without the other platforms, which may come
    # and go: the image is the same before and after.
    unsealed = lock.only(platform).sealed({platform: ()})
    environment = lock.environments[platform]
    base = environment.base.labels if isinstance(environment.base, ImageBase) else {}
    title = {"org.opencontainers.image.title": model.name} if model.name else {}
    frozen = sorted(f"{wheel.name}=={wheel.version}" for wheel in environment.wheels)
    own = {
        "run.cog.config": msgspec.json.encode(model.config, order="sorted").decode(),
        "run.cog.has_init": "true",
        "run.cog.openapi_schema": model.openapi,
        "run.cog.pip_freeze": "\n".join(frozen),
        "run.cog.version": model.version,
        "run.cogn.lock": msgspec.json.encode(unsealed).decode(),
    }
    return base | title | _annotations(environment.base) | own | dict(model.labels)
