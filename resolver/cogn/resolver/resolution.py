"""From a project to its lock."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cogn.lockfiles import Lock, Platform, Wheel
from cogn.report import Reporter
from cogn.resolver.cuda import cuda_of
from cogn.resolver.matrix import load_matrix
from cogn.resolver.project import Project
from cogn.store.http import Fetcher
from cogn.store.runtime import runtime_wheel
from cogn.store.tasks import later, task_group
from cogn.store.uv import Target, Uv

if TYPE_CHECKING:
    from cogn.store.debian import Mirrors

__all__ = ["resolve"]


async def resolve(
    project: Project,
    *,
    platform: Platform,
    previous: Lock | None,
    upgrade: bool,
    fetcher: Fetcher,
    mirrors: Mirrors,
    reporter: Reporter,
) -> Lock:
    """Return the lock that answers the project's inputs on `platform`.

    What `previous` holds stays as long as the inputs allow, unless `upgrade` is asked for: with
    the same inputs and the same cogn, the wheels are not even looked up. The cache has the
    runtime's wheel afterwards. Raises `UvError`, `ResolveError`, `StoreError`.
    """
    # Late: assembling needs the project, and none of what resolves it.
    from cogn.resolver.base import lock_system
    from cogn.resolver.wheels import lock_model_wheels, lock_server_wheels, runtime_entry

    build = project.config.build
    target = Target(build.python_minor, platform)
    uv = Uv(project.directory, reporter)
    kept = None if upgrade else previous
    inputs = project.inputs_digest(platform)
    unchanged = kept is not None and kept.inputs == inputs
    runtime = runtime_wheel()
    fetcher.cache.add(runtime.data)

    async def model_wheels() -> tuple[Wheel, ...]:
        if kept and unchanged:
            return kept.wheels
        return await lock_model_wheels(
            project.requirements,
            target,
            previous=kept.wheels if kept else (),
            uv=uv,
            fetcher=fetcher,
        )

    async def server_wheels() -> tuple[Wheel, ...]:
        if kept and unchanged and runtime_entry(runtime) in kept.server:
            return kept.server
        return await lock_server_wheels(
            runtime, target, previous=kept.server if kept else (), uv=uv, fetcher=fetcher
        )

    system = partial(
        lock_system,
        python_version=build.python_version,
        platform=platform,
        previous=previous,
        upgrade=upgrade,
        fetcher=fetcher,
        mirrors=mirrors,
        reporter=reporter,
    )
    async with task_group() as tasks:
        locked_system = later(tasks, system)
        locked_wheels = later(tasks, model_wheels)
        locked_server = later(tasks, server_wheels)
    base, python = locked_system.value
    return Lock(
        inputs=inputs,
        platform=platform,
        base=base,
        python=python,
        cuda=cuda_of(
            locked_wheels.value,
            gpu=build.gpu,
            where=project.file.where(("build", "gpu")),
            matrix=load_matrix(),
            reporter=reporter,
        ),
        wheels=locked_wheels.value,
        server=locked_server.value,
        bytecode=project.settings.bytecode,
        seals=previous.seals if previous else (),
    )
