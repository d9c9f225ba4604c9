"""From a lock and a source tree to an image: plan, build what is unknown, describe."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from cogn.layers.build import Builder, seals_of
from cogn.layers.dockerignore import FILE_NAME
from cogn.layers.errors import SourceError
from cogn.layers.image import Image, make_image
from cogn.layers.layer import Layer
from cogn.layers.plan import MOST_LAYERS, SITE, plan
from cogn.layers.recipe import FilesRecipe, Recipe
from cogn.layers.source import SOURCE
from cogn.layers.weights import source_recipes
from cogn.lockfiles import Lock
from cogn.store.tasks import later, task_group

__all__ = ["Assembled", "Model", "assemble"]

_PORT = 5000
_PATH = f"/{SITE}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ENTRYPOINT = ("/usr/bin/tini", "--")
_COMMAND = ("python", "-m", "cog.server.http")
# A base without CUDA has to ask the container runtime for the GPU itself.
_GPU_ENVIRONMENT = {
    "NVIDIA_VISIBLE_DEVICES": "all",
    "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """An image, the names of its layers by digest, and the lock with their seals."""

    image: Image
    names: Mapping[str, str]
    lock: Lock


async def assemble(lock: Lock, model: Model, builder: Builder) -> Assembled:
    """Return the image of `model` in the environment of `lock`.

    Layers that are sealed or cached are not built. Raises the errors of building and of packing
    the source.
    """
    recipes = plan(lock)

    async def of_source() -> list[tuple[str, Layer]]:
        files = await source_recipes(
            model.source,
            architecture=lock.platform.partition("/")[2],
            most=MOST_LAYERS - len(recipes),
            cache=builder.cache,
            reporter=builder.reporter,
        )
        _require_predictor(model, files)
        return _named(files, await builder.layers(files))

    async with task_group() as tasks:
        environment = later(tasks, partial(builder.layers, recipes))
        source = later(tasks, of_source)
    layers = environment.value
    named = [*_named(recipes, layers), *source.value]
    image = make_image(
        named,
        platform=lock.platform,
        environment=_environment(lock, model),
        labels=_labels(lock, model),
        entrypoint=_ENTRYPOINT,
        command=_COMMAND,
        working_directory=f"/{SOURCE}",
        port=_PORT,
    )
    return Assembled(
        image=image,
        names={layer.digest: name for name, layer in named},
        lock=msgspec.structs.replace(lock, seals=seals_of(recipes, layers, lock.seals)),
    )


def _named(recipes: Sequence[Recipe], layers: Sequence[Layer]) -> list[tuple[str, Layer]]:
    return [(recipe.name, layer) for recipe, layer in zip(recipes, layers, strict=True)]


def _require_predictor(model: Model, files: Iterable[FilesRecipe]) -> None:
    """Raise `SourceError` unless the file that holds the predictor goes into the image."""
    file = posixpath.normpath(model.reference.partition(":")[0])
    if not any(entry.path == f"{SOURCE}/{file}" for each in files for entry in each.entries):
        raise SourceError(
            f"`{file}`, which has the predictor, does not go into the image",
            hint=f"see whether a line of `{FILE_NAME}` leaves it out",
        )


def _environment(lock: Lock, model: Model) -> dict[str, str]:
    environment = {
        "PATH": _PATH,
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "COG_PREDICT_TYPE_STUB": model.reference,
    }
    if model.gpu:
        environment |= _GPU_ENVIRONMENT
        if lock.cuda is not None:
            major = lock.cuda.version.partition(".")[0]
            environment["NVIDIA_REQUIRE_CUDA"] = f"cuda>={major}.0"
    return environment | dict(model.environment)


def _labels(lock: Lock, model: Model) -> dict[str, str]:
    # Without seals, which the first build adds: the image is the same before and after.
    unsealed = msgspec.structs.replace(lock, seals=())
    return {
        "run.cog.config": msgspec.json.encode(model.config, order="sorted").decode(),
        "run.cog.has_init": "true",
        "run.cog.version": model.version,
        "run.cogn.lock": msgspec.json.encode(unsealed).decode(),
    }
