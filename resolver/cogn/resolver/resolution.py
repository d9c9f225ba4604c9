"""From a project to its lock."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

from cogn.lockfiles import Environment, Lock, Platform, Wheel
from cogn.report import Reporter
from cogn.resolver.base import lock_system
from cogn.resolver.cuda import cuda_of
from cogn.resolver.matrix import load_matrix
from cogn.resolver.platforms import PlatformReporter, naming
from cogn.resolver.project import Project
from cogn.resolver.wheels import lock_model_wheels, lock_server_wheels, runtime_entry
from cogn.store.debian import Mirrors
from cogn.store.http import Fetcher
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

    async def environment(platform: Platform) -> Environment:
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
            ).environment()

    async with task_group() as tasks:
        locked = {platform: later(tasks, partial(environment, platform)) for platform in platforms}
    return Lock(
        inputs=project.inputs_digest,
        bytecode=project.settings.bytecode,
        environments={platform: each.value for platform, each in locked.items()},
    )


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

    async def environment(self) -> Environment:
        build = self.project.config.build
        system = partial(
            lock_system,
            python_version=build.python_version,
            platform=self.platform,
            previous=self._own,
            upgrade=self.upgrade,
            fetcher=self.fetcher,
            mirrors=self.mirrors,
            reporter=self.reporter,
        )
        async with task_group() as tasks:
            locked_system = later(tasks, system)
            locked_wheels = later(tasks, self._model_wheels)
            locked_server = later(tasks, self._server_wheels)
        base, python = locked_system.value
        return Environment(
            base=base,
            python=python,
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
