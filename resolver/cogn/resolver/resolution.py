"""From a project to its lock."""

from __future__ import annotations

from cogn.lockfiles import Base, Lock, Platform, Python, Wheel
from cogn.report import Reporter
from cogn.resolver.base import lock_system
from cogn.resolver.cuda import cuda_of
from cogn.resolver.matrix import load_matrix
from cogn.resolver.project import Project
from cogn.resolver.wheels import lock_model_wheels, lock_server_wheels, runtime_entry
from cogn.store.debian import Mirrors
from cogn.store.http import Fetcher
from cogn.store.runtime import runtime_wheel
from cogn.store.tasks import task_group
from cogn.store.uv import Target, Uv

__all__ = ["is_stale", "resolve"]


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
    build = project.config.build
    target = Target(build.python_minor, platform)
    uv = Uv(project.directory, reporter)
    kept = None if upgrade else previous
    unchanged = kept is not None and not is_stale(project, kept) and kept.platform == platform
    runtime = runtime_wheel()
    fetcher.cache.add(runtime.data)
    system: tuple[Base, Python]
    wheels: tuple[Wheel, ...]
    server: tuple[Wheel, ...]

    async def resolve_system() -> None:
        nonlocal system
        system = await lock_system(
            python_version=build.python_version,
            platform=platform,
            previous=previous,
            upgrade=upgrade,
            fetcher=fetcher,
            mirrors=mirrors,
            reporter=reporter,
        )

    async def resolve_wheels() -> None:
        nonlocal wheels
        if kept and unchanged:
            wheels = kept.wheels
        else:
            wheels = await lock_model_wheels(
                project.requirements,
                target,
                previous=kept.wheels if kept else (),
                uv=uv,
                fetcher=fetcher,
            )

    async def resolve_server() -> None:
        nonlocal server
        if kept and unchanged and runtime_entry(runtime) in kept.server:
            server = kept.server
        else:
            server = await lock_server_wheels(
                runtime, target, previous=kept.server if kept else (), uv=uv, fetcher=fetcher
            )

    async with task_group() as tasks:
        tasks.start_soon(resolve_system)
        tasks.start_soon(resolve_wheels)
        tasks.start_soon(resolve_server)
    base, python = system
    return Lock(
        inputs=project.inputs_digest(platform),
        platform=platform,
        base=base,
        python=python,
        cuda=cuda_of(
            wheels,
            gpu=build.gpu,
            where=project.gpu_where,
            matrix=load_matrix(),
            reporter=reporter,
        ),
        wheels=wheels,
        server=server,
        seals=previous.seals if previous else (),
    )


def is_stale(project: Project, lock: Lock) -> bool:
    """Tell whether the project's inputs are others than those that the lock answers."""
    return project.inputs_digest(lock.platform) != lock.inputs
