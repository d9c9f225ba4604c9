"""The files that layers are made from: packages of archives, wheels that uv finds, Pythons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from cogn.layers.errors import StaleLockError
from cogn.layers.named import NamedFile, named
from cogn.lockfiles import Deb, Environment, Lock, Platform, StandalonePython, Wheel
from cogn.report import Reporter
from cogn.store.http import Fetcher
from cogn.store.origins import Origins
from cogn.store.runtime import runtime_wheel
from cogn.store.tasks import later, task_group
from cogn.store.vendor import VendorDirectory

__all__ = ["LockedInputs"]


class LockedInputs:
    """Fetches what a lock names.

    `directory` is the project's, whose uv configuration counts; `mirrors` are the configured ones
    by archive; `vendor` is looked into before any other place; `origins` are those of the model's
    requirements.
    """

    def __init__(
        self,
        lock: Lock,
        directory: Path,
        fetcher: Fetcher,
        mirrors: Mapping[str, str],
        vendor: VendorDirectory | None = None,
        *,
        origins: Origins | None = None,
        reporter: Reporter | None = None,
    ) -> None:
        self._lock = lock
        self._directory = directory
        self._fetcher = fetcher
        self._mirrors = mirrors
        self._vendor = vendor
        self._origins = origins
        self._reporter = reporter

    async def fetch(
        self,
        debs: Sequence[Deb],
        wheels: Sequence[Wheel],
        pythons: Sequence[StandalonePython],
    ) -> Mapping[str, Path]:
        """Return the files by SHA-256; raises `StoreError` for one that is nowhere."""
        entries: list[Deb | Wheel | StandalonePython] = [*debs, *wheels, *pythons]
        if self._vendor is not None:
            await self._vendor.bring([each.sha256 for each in entries], self._fetcher.cache)
        self._add_runtime(wheels)
        self.require(entries)
        files = await self._pythons(pythons)
        # Platforms may have been locked on different days, from other snapshots of the archives.
        for platform, environment in self._lock.environments.items():
            async with task_group() as tasks:
                deb_files = later(tasks, partial(self._debs, debs, environment))
                wheel_files = later(tasks, partial(self._wheels, wheels, environment, platform))
            files |= deb_files.value | wheel_files.value
        return files

    def require(
        self,
        entries: Iterable[Deb | Wheel | StandalonePython],
        others: Iterable[NamedFile] = (),
    ) -> None:
        """Raise `OfflineError`, which names all of them, for files that may not be fetched.

        They are neither in the cache nor in the vendor directory nor elsewhere on this machine.
        """
        if not self._fetcher.offline:
            return
        files = [*others, *(named(each) for each in entries if not self._lies_here(each))]
        self._fetcher.require(
            {
                file.sha256: file.name
                for file in files
                if self._vendor is None or not self._vendor.has(file.sha256)
            }
        )

    def _lies_here(self, entry: Deb | Wheel | StandalonePython) -> bool:
        """Tell whether an entry is a wheel of a directory here, or the one that cogn brings."""
        if not isinstance(entry, Wheel):
            return False
        from cogn.store.uv import Uv  # late, as below
        from cogn.store.wheels import lies_here

        uv = Uv(self._directory, origins=self._origins)
        own = runtime_wheel().sha256
        return entry.sha256 == own or lies_here(entry, uv, self._fetcher.cache)

    async def _pythons(self, pythons: Sequence[StandalonePython]) -> dict[str, Path]:
        """Return the archives of interpreters."""
        if not pythons:
            return {}
        from cogn.store.standalone import fetch_python  # late, as below

        return {each.sha256: await fetch_python(each, self._fetcher) for each in pythons}

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
        """Return the files of those wheels that are the environment's.

        What the requirements say about places is about the model's alone.
        """
        own = [wheel for wheel in wheels if wheel in environment.fetched_wheels]
        if not own:
            return {}
        from cogn.store.uv import Target, Uv
        from cogn.store.wheels import fetch_wheels

        files: dict[str, Path] = {}
        target = Target(environment.python.version.rpartition(".")[0], platform)
        model = [wheel for wheel in own if wheel in environment.wheels]
        others = [wheel for wheel in own if wheel not in environment.wheels]
        for some, origins, backend in (
            (model, self._origins, environment.torch_backend),
            (others, None, None),
        ):
            paths = await fetch_wheels(
                some,
                target=target,
                uv=Uv(self._directory, self._reporter, origins=origins),
                fetcher=self._fetcher,
                torch_backend=backend,
                reporter=self._reporter,
            )
            files |= {wheel.sha256: path for wheel, path in zip(some, paths, strict=True)}
        return files

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
