"""From a project to its lock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from cogn.lockfiles import (
    Environment,
    ImageBase,
    Lock,
    Platform,
    Python,
    StandalonePython,
    TorchIndex,
    Wheel,
)
from cogn.report import ProblemsError, Reporter
from cogn.resolver.composition import SystemRequest
from cogn.resolver.cuda import check_pins, check_targets, choose_cuda, choose_torch_index
from cogn.resolver.glibc import check_glibc
from cogn.resolver.gpu import cuda_in_image, gpu_request, nvidia_image, wanted_python
from cogn.resolver.image import BaseImage
from cogn.resolver.matrix import load_matrix
from cogn.resolver.platforms import PlatformReporter, naming
from cogn.resolver.project import Project
from cogn.resolver.selection import Selection
from cogn.resolver.system import System, lock_system
from cogn.resolver.wheels import (
    lock_model_wheels,
    lock_server_wheels,
    lock_tool_wheels,
    runtime_entry,
)
from cogn.store.debian import Mirrors
from cogn.store.http import Fetcher
from cogn.store.offline import Failures
from cogn.store.origins import Origins
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
    upgrade_only: frozenset[str] = frozenset(),
    exclude_newer: str | None = None,
) -> Lock:
    """Return the lock that answers the project's inputs on `platforms`, one or more.

    What `previous` holds stays as long as the inputs allow, unless `upgrade` is asked for: with
    the same inputs and the same cogn, the wheels of its platforms are not even looked up. Of the
    Python packages in `upgrade_only` the newest version is taken, while all others stay.
    `exclude_newer` is the moment, as RFC 3339 writes it, after which packages do not count. The
    cache has the runtime's wheel afterwards. Raises `UvError`, `ResolveError`, `StoreError`.
    """
    selection = Selection(upgrade_only, exclude_newer)
    if previous is not None:
        selection.check(previous)
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
                selection=selection,
                runtime=runtime,
                fetcher=fetcher,
                mirrors=mirrors,
                reporter=PlatformReporter(reporter, platform) if several else reporter,
                registries=registries,
            ).environment()

    failures = Failures(collects=fetcher.offline)
    async with (
        _registries(project, reporter, offline=fetcher.offline) as registries,
        task_group() as tasks,
    ):
        locked = {
            platform: later(tasks, failures.of(partial(environment, platform, registries)))
            for platform in platforms
        }
    failures.raise_if_any()
    return Lock(
        inputs=project.inputs_digest,
        bytecode=project.settings.bytecode,
        environments={platform: each.value for platform, each in locked.items()},
    )


@asynccontextmanager
async def _registries(
    project: Project, reporter: Reporter, *, offline: bool
) -> AsyncIterator[Registries | None]:
    """Give the registries if the project's base is an image, or may come to be one."""
    if project.settings.base is None and not project.config.build.gpu:
        yield None
        return
    configuration = RegistryConfiguration.load(project.settings.registry_tables)
    async with Registries.open(configuration, reporter, offline=offline) as registries:
        yield registries


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resolution:
    """The resolution of one platform's environment."""

    project: Project
    platform: Platform
    previous: Lock | None
    upgrade: bool
    selection: Selection
    runtime: RuntimeWheel
    fetcher: Fetcher
    mirrors: Mirrors
    reporter: Reporter
    registries: Registries | None

    async def environment(self) -> Environment:
        matrix, settings = load_matrix(), self.project.settings
        request = gpu_request(self.project, self._target)
        ProblemsError.raise_if_any(check_pins(request, self.platform, matrix))
        unchanged = self._unchanged
        index = unchanged.torch if unchanged else choose_torch_index(request, self.platform, matrix)
        failures = Failures(collects=self.fetcher.offline)
        async with task_group() as tasks:
            # First what starts uv: it waits for servers while this process is at work.
            locked_wheels = later(tasks, failures.of(partial(self._model_wheels, index)))
            locked_server = later(tasks, failures.of(self._server_wheels))
            # The usual base is made ready before it is known whether it will do: it mostly does.
            early = (
                None
                if self._base_follows_wheels
                else later(tasks, failures.of(partial(self._based, self._image)))
            )
        failures.raise_if_any()
        wheels, server = locked_wheels.value, locked_server.value
        choice = choose_cuda(wheels, request, self.platform, matrix, self.reporter, index=index)
        if early is None or (choice.system is not None and settings.base is None):
            kept = None if self.upgrade or self._own is None else self._own.base
            found = nvidia_image(choice, self.project, self._target, matrix, kept)
            locked, tools = await self._based(found and self._based_on(*found))
        else:
            locked, tools = early.value
        check_glibc(wheels + server, locked.base)
        cuda = choice.wheels
        if cuda is None and request.gpu:
            cuda = cuda_in_image(locked.base, choice, matrix)
        if cuda is not None:
            check_targets(request.targets, cuda, choice.torch, self.platform, matrix)
        return Environment(
            base=locked.base,
            python=self._explained(locked.python),
            asked=locked.asked,
            system=locked.packages,
            unrun=settings.allow_unrun,
            cuda=cuda,
            torch=index if choice.torch else None,
            wheels=wheels,
            server=server,
            tools=tools,
            seals=self._own.seals if self._own else (),
        )

    def _explained(self, python: Python) -> Python:
        """Return the Python with the reason for its version, where cog.yaml does not name one."""
        because = self._python[1]
        if because is None or python.reason.startswith(because):
            return python
        return replace(python, reason=f"{because}; {python.reason}")

    async def _based(self, image: BaseImage | None) -> tuple[System, tuple[Wheel, ...]]:
        """Return the system, and the tools beside its Python."""
        system = await self._system(image)
        return system, await self._tool_wheels(system.python)

    async def _system(self, image: BaseImage | None) -> System:
        settings = self.project.settings
        return await lock_system(
            SystemRequest(
                python_version=self._python[0],
                python_source=settings.python,
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
            image=image,
        )

    async def _model_wheels(self, index: TorchIndex | None) -> tuple[Wheel, ...]:
        unchanged = self._unchanged
        if unchanged and not self.selection.moves(unchanged.wheels):
            return unchanged.wheels
        requirements = self.project.requirements
        return await lock_model_wheels(
            requirements,
            self._target,
            previous=self.selection.kept(self._kept.wheels) if self._kept else (),
            uv=self._uv(requirements.origins),
            fetcher=self.fetcher,
            reporter=self.reporter,
            torch_backend=index.backend if index else None,
        )

    async def _server_wheels(self) -> tuple[Wheel, ...]:
        unchanged = self._unchanged
        if (
            unchanged
            and runtime_entry(self.runtime) in unchanged.server
            and not self.selection.moves(unchanged.server)
        ):
            return unchanged.server
        return await lock_server_wheels(
            self.runtime,
            self._target,
            previous=self.selection.kept(self._kept.server) if self._kept else (),
            uv=self._uv(),
            fetcher=self.fetcher,
        )

    async def _tool_wheels(self, python: Python) -> tuple[Wheel, ...]:
        if isinstance(python, StandalonePython):  # it brings pip
            return ()
        unchanged = self._unchanged
        if unchanged and unchanged.tools and not self.selection.moves(unchanged.tools):
            return unchanged.tools
        return await lock_tool_wheels(
            self._target,
            previous=self.selection.kept(self._kept.tools) if self._kept else (),
            uv=self._uv(),
            fetcher=self.fetcher,
        )

    @property
    def _base_follows_wheels(self) -> bool:
        """Whether the base is known only when it is known which wheels there are.

        One of NVIDIA's images that was the base is likely to be it again.
        """
        settings = self.project.settings
        cuda = self._own.cuda if self._own else None
        was_image = settings.base is None and cuda is not None and cuda.provider == "base"
        return settings.flavour is not None or was_image

    @property
    def _image(self) -> BaseImage | None:
        """The image that the project names as its base, if it does."""
        reference = self.project.settings.image
        return None if reference is None else self._based_on(reference)

    def _based_on(self, reference: Reference, reason: str | None = None) -> BaseImage:
        assert self.registries is not None
        cache, reporter = self.fetcher.cache, self.reporter
        if reason is None:
            return BaseImage(reference, self.registries, cache, reporter)
        return BaseImage(reference, self.registries, cache, reporter, reason=reason)

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
    def _python(self) -> tuple[str, str | None]:
        """The wanted version, and why it is not what Cog takes."""
        return wanted_python(self.project, self.platform)

    @property
    def _target(self) -> Target:
        python = ".".join(self._python[0].split(".")[:2])
        base = self._own.base if self._own else None
        release = base.release if isinstance(base, ImageBase) else self.project.settings.suite
        known = load_matrix().releases.get(release)
        return Target(python, self.platform, *((known.glibc,) if known else ()))

    def _uv(self, origins: Origins | None = None) -> Uv:
        exclude_newer = self.selection.exclude_newer
        directory = self.project.directory
        return Uv(directory, self.reporter, origins=origins, exclude_newer=exclude_newer)
