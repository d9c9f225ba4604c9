"""`cogn assemble`: from the lock and the source to images in their place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from cogn import layers, lockfiles, resolver
from cogn.cli.locked import chosen_platforms, fresh_lock
from cogn.cli.offline import network
from cogn.cli.output import each_platform, make_reporter, readable_size, say
from cogn.layers import (
    Builder,
    Compression,
    Destination,
    LocalDestination,
    OciArchive,
    OciLayout,
    Publication,
    RegistryDestination,
)
from cogn.layers.destination import DEFAULT_TAG
from cogn.layers.image import Image, manifests_of
from cogn.lockfiles import LOCK_NAME, ImageBase, Lock, Platform
from cogn.report import Reporter
from cogn.resolver import Brief
from cogn.resolver.document import document_of, given_document
from cogn.store import Cache, RegistryError, replace_file
from cogn.store.http import Fetcher
from cogn.store.places import Places
from cogn.store.registry import Reference
from cogn.store.runtime import runtime_wheel
from cogn.store.tasks import task_group

if TYPE_CHECKING:
    from cogn.layers.load import Engine, EngineName
    from cogn.store.registry import Registries
    from cogn.store.vendor import VendorDirectory

__all__ = ["Options", "run"]

_DEFAULT = Path(".cogn", "image")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asks for."""

    output: str | None
    push: str | None
    blob_repo: str | None
    load: bool
    engine: EngineName | None
    """The one to load into, unless any will do."""
    platforms: Sequence[Platform]
    frozen: bool
    compression: Compression
    jobs: int | None
    openapi_schema: Path | None
    """A file with the OpenAPI document to use, instead of the one that the source gives."""
    labels: Mapping[str, str]
    sparse: bool
    """Whether layouts do without the layers of images that are bases."""
    offline: bool
    """Whether no connection may be opened."""
    vendor: Path | None
    """A directory of `cogn vendor` that is looked into first."""


def run(directory: Path, options: Options) -> str:
    """Assemble the project of `directory`; return the digest of its manifest, or of its index.

    There is one image for each platform, with an index over several. They go to the output, to the
    registry and into the container engine, whichever are asked for; without any to an OCI layout
    in the project. New seals are written into the lock unless it is frozen, which makes them an
    error.
    """
    local = None if options.output is None else LocalDestination.parse(options.output)
    reference = None if options.push is None else _target(options.push)
    home = _home(options.blob_repo, reference)
    if options.offline and reference is not None:
        raise RegistryError(
            "`--push` needs the network, which `--offline` forbids",
            hint="write the image with `-o oci:DIRECTORY` and push that from where there is one",
        )
    engine = _find_engine(options.engine) if options.load else None
    with make_reporter() as reporter, network(offline=options.offline):
        root, brief = resolver.read_brief(directory, Cache(), reporter)
        if local is None and reference is None and engine is None:
            local = LocalDestination("oci", root / _DEFAULT, DEFAULT_TAG)
        lock = fresh_lock(root, brief)
        platforms = chosen_platforms(lock, options.platforms)
        if options.sparse and (local is None or local.kind != "oci"):
            raise layers.LayerError(
                "`--sparse` is for OCI layouts alone", hint="add `-o oci:DIRECTORY`"
            )
        if engine is not None or (local is not None and local.kind == "docker-archive"):
            from cogn.layers.docker_archive import require_one  # late: few ask for it

            require_one(platforms, str(engine or local))
        model = _model(root, brief, options)
        work = _Work(root, brief, lock, platforms, home, options, model, reporter)
        images, sent = anyio.run(work.assemble, local, reference, engine)
    if local is not None:
        say(f"Assembled {local}: {_summary(images)}")
    if reference is not None:
        moved, spared = readable_size(sent), readable_size(max(0, _size(images) - sent))
        say(f"Pushed {reference}: {_summary(images)}; {moved} sent, {spared} spared")
    if engine is not None:
        say(f"Loaded {_image_name(root, brief)} into {engine}: {_summary(images)}")
    return manifests_of(images)[-1].digest


def _summary(images: Sequence[Image]) -> str:
    sizes = [sum(layer.size for layer in image.layers) / 1e6 for image in images]
    return each_platform(
        [
            (image.platform, f"{len(image.layers)} layers, {size:.1f} MB")
            for image, size in zip(images, sizes, strict=True)
        ]
    )


def _size(images: Sequence[Image]) -> int:
    """Return the bytes of all layers and configurations, those in common counted once."""
    layers_ = {layer.digest: layer.size for image in images for layer in image.layers}
    documents = {image.config.digest: len(image.config.data) for image in images}
    return sum((layers_ | documents).values())


@dataclass(frozen=True, slots=True)
class _Work:
    root: Path
    brief: Brief
    lock: Lock
    platforms: Sequence[Platform]
    home: Reference | None
    """The repository that large layers live in."""
    options: Options
    model: layers.Model
    reporter: Reporter

    async def assemble(
        self,
        local: LocalDestination | None,
        reference: Reference | None,
        engine: Engine | None,
    ) -> tuple[Sequence[Image], int]:
        """Return the images, and how many bytes of them went to the registry."""
        async with AsyncExitStack() as stack:
            registries = await self._registries(reference, stack)
            offline = self.options.offline
            fetcher = await stack.enter_async_context(
                Fetcher.open(Cache(), self.reporter, offline=offline)
            )
            vendor = self._vendor
            inputs = layers.LockedInputs(
                self.lock,
                self.root,
                fetcher,
                self.brief.mirrors,
                vendor,
                origins=self.brief.origins,
                reporter=self.reporter,
            )
            builder = self._builder(registries, inputs, fetcher.cache, vendor)
            destinations: list[Destination] = []
            if local is not None:
                destinations.append(self._local(local))
            registry = None
            if reference is not None and registries is not None:
                registry = await self._registry(reference, builder, registries)
                destinations.append(registry)
            if offline:
                has = destinations[0].has if local is not None else _unknown
                await layers.require_inputs(self.lock, self.platforms, builder, inputs, has)
            async with task_group() as tasks:
                publications = [Publication(each, builder, tasks) for each in destinations]

                def offer(name: str, layer: layers.Layer) -> None:
                    for publication in publications:
                        publication.offer(name, layer)

                assembled = await layers.assemble(
                    self.lock,
                    self.platforms,
                    self.model,
                    builder,
                    offer=offer,
                    frozen=self.options.frozen,
                )
                text = self._sealed(assembled.lock)
                for publication in publications:
                    publication.offer_configs(assembled.images)
            async with task_group() as tasks:
                for publication in publications:
                    tasks.start_soon(publication.finish, assembled.images)
                if registry is not None:
                    tasks.start_soon(self._attach_lock, registry, assembled.images, text)
            if engine is not None:
                await self._load(engine, assembled, builder)
            return assembled.images, 0 if registry is None else registry.sent

    def _local(self, destination: LocalDestination) -> Destination:
        name = _image_name(self.root, self.brief)
        if destination.kind == "docker-archive":
            from cogn.layers.docker_archive import DockerArchive  # late: few ask for it

            return DockerArchive(destination.path, destination.name or name, self.reporter)
        if destination.kind == "oci-archive":
            return OciArchive(destination.path, name)
        left_out = {layer.digest for base in self._image_bases for layer in base.layers}
        return OciLayout(destination.path, destination.tag, left_out if self.options.sparse else ())

    async def _load(self, engine: Engine, assembled: layers.Assembled, builder: Builder) -> None:
        from cogn.layers.load import load  # late: few ask for it

        name = _image_name(self.root, self.brief)
        await load(assembled.images, assembled.names, builder, engine, name)

    @property
    def _image_bases(self) -> list[ImageBase]:
        """The bases that are images."""
        bases = (self.lock.environments[platform].base for platform in self.platforms)
        return [base for base in bases if isinstance(base, ImageBase)]

    async def _registries(
        self, reference: Reference | None, stack: AsyncExitStack
    ) -> Registries | None:
        """Return the registries, if there is something to push or to have from one."""
        if reference is None and not self._image_bases:
            return None
        from cogn.store.registry import Registries, RegistryConfiguration  # late: as above

        configuration = RegistryConfiguration.load(self.brief.registries)
        opened = Registries.open(configuration, self.reporter, offline=self.options.offline)
        return await stack.enter_async_context(opened)

    async def _registry(
        self, reference: Reference, builder: Builder, registries: Registries
    ) -> RegistryDestination:
        repository = await registries.push_target(reference)
        home = None
        if self.home is not None:
            shared = await registries.push_target(self.home)
            home = layers.SharedHome(shared, repository, self.reporter)
        return RegistryDestination(repository, places=Places(builder.cache), home=home)

    async def _attach_lock(
        self, registry: RegistryDestination, images: Sequence[Image], text: bytes
    ) -> None:
        """Keep the lock with the image, which is there all the same when that fails."""
        try:
            await registry.attach_lock(manifests_of(images)[-1], text)
        except RegistryError as error:
            self.reporter.warn(
                f"the image is there, but not its lock: {error}",
                hint="the registry may not take artifacts (OCI 1.1); the label still has the lock",
            )

    def _sealed(self, lock: Lock) -> bytes:
        """Return the text of the lock with its seals, which the file has from now on."""
        path = self.root / LOCK_NAME
        if self.options.frozen or lock == self.lock:
            return path.read_bytes()
        text = lockfiles.dumps(lock).encode()
        replace_file(path, text)
        return text

    @property
    def _vendor(self) -> VendorDirectory | None:
        """The directory of `cogn vendor`, if one is named."""
        if self.options.vendor is None:
            return None
        from cogn.store.vendor import VendorDirectory  # late: few have one

        paths = layers.vendor_paths(layers.locked_files(self.lock, self.platforms))
        return VendorDirectory.opened(self.options.vendor, paths, self.reporter)

    def _builder(
        self,
        registries: Registries | None,
        inputs: layers.LockedInputs,
        cache: Cache,
        vendor: VendorDirectory | None,
    ) -> Builder:
        bases = None
        if self._image_bases and registries is not None:
            bases = layers.BaseImages(self._image_bases, registries, cache, self.reporter, vendor)
        environments = self.lock.environments.values()
        return Builder(
            [seal for environment in environments for seal in environment.seals],
            inputs=inputs,
            cache=cache,
            reporter=self.reporter,
            compression=self.options.compression,
            jobs=self.options.jobs,
            bases=bases,
        )


async def _unknown(_digest: str) -> bool:
    """Stand for an engine, which tells what it lacks only when the image is made."""
    return True


def _target(text: str) -> Reference:
    """Return the reference to push to."""
    reference = Reference.parse(text)
    if reference.digest is not None:
        raise RegistryError(
            f"`{text}` has a digest, which only the image itself can tell", hint="name a tag"
        )
    return reference


def _home(text: str | None, reference: Reference | None) -> Reference | None:
    """Return the repository for large layers, which has to be in the registry of `reference`."""
    if text is None:
        return None
    if reference is None:
        raise RegistryError("`--blob-repo` is for a push", hint="name the image with `--push`")
    named = text if text.startswith(f"{reference.host}/") else f"{reference.host}/{text}"
    home = Reference.parse(named)
    if home.digest is not None or home.repository == reference.repository:
        raise RegistryError(
            f"`{text}` cannot be the repository for large layers",
            hint=f"name another repository of `{reference.host}`, without a digest",
        )
    return home


def _find_engine(wanted: EngineName | None) -> Engine:
    from cogn.layers.load import find_engine  # late: few ask for it

    return anyio.run(find_engine, wanted)


def _image_name(root: Path, brief: Brief) -> str:
    """Return the name that cog.yaml gives the image, else one made of the directory's."""
    name = brief.repository
    if name is None:
        made = re.sub(r"[^a-z0-9]+", "-", root.name.lower()).strip("-")
        name = made or "model"
    return name if ":" in name.rpartition("/")[2] else f"{name}:{DEFAULT_TAG}"


def _model(root: Path, brief: Brief, options: Options) -> layers.Model:
    version = runtime_wheel().version
    if options.openapi_schema is None:
        openapi = document_of(
            root, brief.predictor, train=brief.train, version=version, cache=Cache()
        )
    else:
        openapi = given_document(options.openapi_schema)
    return layers.Model(
        source=root,
        reference=brief.predictor,
        train=brief.train,
        gpu=brief.gpu,
        environment=brief.environment,
        config=brief.config,
        version=version,
        openapi=openapi,
        name=brief.repository,
        labels=options.labels,
    )
