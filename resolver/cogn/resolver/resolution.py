"""From a project to its lock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

from cogn.lockfiles import Environment, Lock, Platform, Wheel
from cogn.report import Reporter
from cogn.resolver.composition import SystemRequest
from cogn.resolver.cuda import cuda_of
from cogn.resolver.glibc import check_glibc
from cogn.resolver.image import BaseImage
from cogn.resolver.matrix import load_matrix
from cogn.resolver.platforms import PlatformReporter, naming
from cogn.resolver.project import Project
from cogn.resolver.system import lock_system
from cogn.resolver.wheels import lock_model_wheels, lock_server_wheels, runtime_entry
from cogn.store.debian import Mirrors
from cogn.store.http import Fetcher
from cogn.store.registry import Reference, Registries, RegistryConfiguration
from cogn.store.runtime import RuntimeWheel, runtime_wheel
from cogn.store.tasks import later, task_group
from cogn.store.uv import Target, Uv

__all__ = ["resolve"]


async def resolve(
    project: Project,
    *,
    platforms: Sequence[Platform],
    previous: Lock | None,
    upgrade: bool,
    fetcher: Fetcher,
    mirrors: Mirrors,
    reporter: Reporter,
) -> Lock:
    """Return the lock that answers the project's inputs on `platforms`, one or more.

    What `previous` holds stays as long as the inputs allow, unless `upgrade` is asked for: with
    the same inputs and the same cogn, the wheels of its platforms are not even looked up. The cache
    has the runtime's wheel afterwards. Raises `UvError`, `ResolveError`, `StoreError`.
    """
    runtime = runtime_wheel()
    fetcher.cache.add(runtime.data)
    several = len(platforms) > 1

    async def environment(platform: Platform, registries: Registries | None) -> Environment:
        with naming(platform) if several else nullcontext():
            return await _Resolution(
                project=project,
                platform=platform,
                previous=previous,
                upgrade=upgrade,
                runtime=runtime,
                fetcher=fetcher,
                mirrors=mirrors,
                reporter=PlatformReporter(reporter, platform) if several else reporter,
                registries=registries,
            ).environment()

    async with _registries(project, reporter) as registries, task_group() as tasks:
        locked = {
            platform: later(tasks, partial(environment, platform, registries))
            for platform in platforms
        }
    return Lock(
        inputs=project.inputs_digest,
        bytecode=project.settings.bytecode,
        environments={platform: each.value for platform, each in locked.items()},
    )


@asynccontextmanager
async def _registries(project: Project, reporter: Reporter) -> AsyncIterator[Registries | None]:
    """Give the registries if the project's base is an image."""
    if project.settings.base is None:
        yield None
        return
    configuration = RegistryConfiguration.load(project.settings.registry_tables)
    async with Registries.open(configuration, reporter) as registries:
        yield registries


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resolution:
    """The resolution of one platform's environment."""

    project: Project
    platform: Platform
    previous: Lock | None
    upgrade: bool
    runtime: RuntimeWheel
    fetcher: Fetcher
    mirrors: Mirrors
    reporter: Reporter
    registries: Registries | None

    async def environment(self) -> Environment:
        build, settings = self.project.config.build, self.project.settings
        system = partial(
            lock_system,
            SystemRequest(
                python_version=build.python_version,
                suite=settings.suite,
                shell=settings.shell,
                packages=self.project.system_packages,
                recommends=settings.recommends,
            ),
            platform=self.platform,
            previous=self._own,
            upgrade=self.upgrade,
            fetcher=self.fetcher,
            mirrors=self.mirrors,
            reporter=self.reporter,
            image=self._image,
        )
        async with task_group() as tasks:
            locked_system = later(tasks, system)
            locked_wheels = later(tasks, self._model_wheels)
            locked_server = later(tasks, self._server_wheels)
        locked = locked_system.value
        check_glibc(locked_wheels.value + locked_server.value, locked.base)
        return Environment(
            base=locked.base,
            python=locked.python,
            asked=locked.asked,
            system=locked.packages,
            unrun=settings.allow_unrun,
            cuda=cuda_of(
                locked_wheels.value,
                gpu=build.gpu,
                where=self.project.file.where(("build", "gpu")),
                matrix=load_matrix(),
                reporter=self.reporter,
            ),
            wheels=locked_wheels.value,
            server=locked_server.value,
            seals=self._own.seals if self._own else (),
        )

    async def _model_wheels(self) -> tuple[Wheel, ...]:
        if unchanged := self._unchanged:
            return unchanged.wheels
        return await lock_model_wheels(
            self.project.requirements,
            self._target,
            previous=self._kept.wheels if self._kept else (),
            uv=self._uv,
            fetcher=self.fetcher,
        )

    async def _server_wheels(self) -> tuple[Wheel, ...]:
        unchanged = self._unchanged
        if unchanged and runtime_entry(self.runtime) in unchanged.server:
            return unchanged.server
        return await lock_server_wheels(
            self.runtime,
            self._target,
            previous=self._kept.server if self._kept else (),
            uv=self._uv,
            fetcher=self.fetcher,
        )

    @property
    def _image(self) -> BaseImage | None:
        """The image that the base is, if it is one."""
        name = self.project.settings.base
        if name is None or self.registries is None:
            return None
        reference = Reference.parse(name)
        return BaseImage(reference, self.registries, self.fetcher.cache, self.reporter)

    @property
    def _own(self) -> Environment | None:
        """What the previous lock has for the platform."""
        return self.previous.environments.get(self.platform) if self.previous else None

    @property
    def _unchanged(self) -> Environment | None:
        """What the previous lock has for the platform, if it answers today's inputs."""
        same = self.previous and self.previous.inputs == self.project.inputs_digest
        return self._own if same and not self.upgrade else None

    @property
    def _kept(self) -> Environment | None:
        """The environment of the previous lock whose versions stay where they still fit.

        For a new platform it is another one's: the same model is to have the same packages on all.
        """
        if self.previous is None or self.upgrade:
            return None
        return self._own or next(iter(self.previous.environments.values()))

    @property
    def _target(self) -> Target:
        return Target(self.project.config.build.python_minor, self.platform)

    @property
    def _uv(self) -> Uv:
        return Uv(self.project.directory, self.reporter)
