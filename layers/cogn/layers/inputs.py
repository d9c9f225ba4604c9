"""The files that layers are made from: packages from archives, wheels from where uv finds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cogn.layers.errors import StaleLockError
from cogn.lockfiles import Deb, Lock, Wheel
from cogn.store.debian import Mirrors, fetch_debs
from cogn.store.http import Fetcher
from cogn.store.runtime import runtime_wheel
from cogn.store.tasks import later, task_group
from cogn.store.uv import Target, Uv
from cogn.store.wheels import fetch_wheels

__all__ = ["LockedInputs"]


class LockedInputs:
    """Fetches what a lock names. `directory` is the project's, whose uv configuration counts."""

    def __init__(self, lock: Lock, directory: Path, fetcher: Fetcher, mirrors: Mirrors) -> None:
        self._archives = lock.base.archives
        self._target = Target(lock.python.version.rpartition(".")[0], lock.platform)
        self._uv = Uv(directory)
        self._fetcher = fetcher
        self._mirrors = mirrors

    async def fetch(self, debs: Sequence[Deb], wheels: Sequence[Wheel]) -> Mapping[str, Path]:
        """Return the files by SHA-256; raises `StoreError` for one that is nowhere."""

        async def all_debs() -> Sequence[Path]:
            return await fetch_debs(
                debs, self._archives, fetcher=self._fetcher, mirrors=self._mirrors
            )

        async def all_wheels() -> Sequence[Path]:
            self._add_runtime(wheels)
            return await fetch_wheels(
                wheels, target=self._target, uv=self._uv, fetcher=self._fetcher
            )

        async with task_group() as tasks:
            deb_files = later(tasks, all_debs)
            wheel_files = later(tasks, all_wheels)
        return {
            **{deb.sha256: file for deb, file in zip(debs, deb_files.value, strict=True)},
            **{wheel.sha256: file for wheel, file in zip(wheels, wheel_files.value, strict=True)},
        }

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
