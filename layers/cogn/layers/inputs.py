"""The files that layers are made from: packages from archives, wheels from where uv finds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from cogn.layers.errors import StaleLockError
from cogn.lockfiles import Deb, Environment, Lock, Platform, Wheel
from cogn.store.http import Fetcher
from cogn.store.runtime import runtime_wheel
from cogn.store.tasks import later, task_group

__all__ = ["LockedInputs"]


class LockedInputs:
    """Fetches what a lock names.

    `directory` is the project's, whose uv configuration counts; `mirrors` are the configured ones
    by archive.
    """

    def __init__(
        self, lock: Lock, directory: Path, fetcher: Fetcher, mirrors: Mapping[str, str]
    ) -> None:
        self._lock = lock
        self._directory = directory
        self._fetcher = fetcher
        self._mirrors = mirrors

    async def fetch(self, debs: Sequence[Deb], wheels: Sequence[Wheel]) -> Mapping[str, Path]:
        """Return the files by SHA-256; raises `StoreError` for one that is nowhere."""
        files: dict[str, Path] = {}
        # Platforms may have been locked on different days, from other snapshots of the archives.
        for platform, environment in self._lock.environments.items():
            async with task_group() as tasks:
                deb_files = later(tasks, partial(self._debs, debs, environment))
                wheel_files = later(tasks, partial(self._wheels, wheels, environment, platform))
            files |= deb_files.value | wheel_files.value
        return files

    async def _debs(self, debs: Sequence[Deb], environment: Environment) -> dict[str, Path]:
        """Return the files of those packages that are the environment's."""
        own = [deb for deb in debs if deb in environment.fetched_debs]
        if not own:
            return {}
        # Late, as below: what is built or sealed already needs no archive and no uv.
        from cogn.store.debian import Mirrors, fetch_debs

        mirrors = Mirrors.find(self._mirrors)
        archives = environment.base.archives
        paths = await fetch_debs(own, archives, fetcher=self._fetcher, mirrors=mirrors)
        return {deb.sha256: path for deb, path in zip(own, paths, strict=True)}

    async def _wheels(
        self, wheels: Sequence[Wheel], environment: Environment, platform: Platform
    ) -> dict[str, Path]:
        """Return the files of those wheels that are the environment's."""
        own = [wheel for wheel in wheels if wheel in (*environment.wheels, *environment.server)]
        if not own:
            return {}
        from cogn.store.uv import Target, Uv
        from cogn.store.wheels import fetch_wheels

        self._add_runtime(own)
        python = environment.python.version.rpartition(".")[0]
        paths = await fetch_wheels(
            own, target=Target(python, platform), uv=Uv(self._directory), fetcher=self._fetcher
        )
        return {wheel.sha256: path for wheel, path in zip(own, paths, strict=True)}

    def _add_runtime(self, wheels: Sequence[Wheel]) -> None:
        """Put the runtime's wheel, which is on no index, where the others are looked for."""
        runtime = runtime_wheel()
        cache = self._fetcher.cache
        for wheel in wheels:
            if wheel.name != runtime.name or cache.find(wheel.sha256):
                continue
            if wheel.sha256 != runtime.sha256:
                raise StaleLockError(
                    f"the lock pins {wheel.name} {wheel.version} with sha256 {wheel.sha256}, "
                    f"and this cogn brings {runtime.version} with {runtime.sha256}",
                    hint="run `cogn lock`, or use the cogn that wrote the lock",
                )
            cache.add(runtime.data)
