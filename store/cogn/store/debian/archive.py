"""Suites of a Debian archive: opened under their signature, and the packages that a lock names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

import anyio
import anyio.to_thread
import msgspec

from cogn.store.debian.distributions import known_archive
from cogn.store.debian.indexes import KINDS, Packages, read_index
from cogn.store.debian.keys import archive_keys
from cogn.store.debian.mirrors import Mirrors, snapshot_of
from cogn.store.debian.release import Release, read_release
from cogn.store.errors import ArchiveError, DownloadError, HashError, OfflineError
from cogn.store.http import Fetcher, plain_url
from cogn.store.tasks import later, task_group

__all__ = [
    "LockedArchive",
    "LockedDeb",
    "OpenSuite",
    "Suite",
    "can_fetch",
    "fetch_debs",
    "open_suite",
]

_LARGEST_INRELEASE = 4 << 20
_PARALLEL = 16
_PARALLEL_ON_SNAPSHOT = 2
_NOTES = "releases"


class LockedArchive(Protocol):
    """What a lock says about an archive."""

    @property
    def name(self) -> str:
        """The archive's name, such as ``debian-security``."""

    @property
    def snapshot(self) -> str:
        """The date of its InRelease file, such as ``20260912T075541Z``."""


class LockedDeb(Protocol):
    """What a lock says about one package."""

    @property
    def name(self) -> str:
        """The package's name."""

    @property
    def version(self) -> str:
        """The package's version."""

    @property
    def archive(self) -> str:
        """The name of the archive that holds it."""

    @property
    def path(self) -> str:
        """Its path below the archive's root."""

    @property
    def sha256(self) -> str:
        """Its hash, in hex."""

    @property
    def size(self) -> int:
        """Its size in bytes."""


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite to open: the archive's name, the suite's, such as ``noble-updates``, components."""

    archive: str
    name: str
    components: tuple[str, ...] = ("main",)

    def __str__(self) -> str:
        """Return the words that messages use for it."""
        return f"the archive `{self.archive}`, suite `{self.name}`"


class OpenSuite:
    """A suite whose InRelease file was verified. Its indexes are fetched when asked for."""

    def __init__(self, suite: Suite, release: Release, root: str, fetcher: Fetcher) -> None:
        self.suite = suite
        self.release = release
        self._root = root
        self._fetcher = fetcher

    async def packages(self, architecture: str) -> Packages:
        """Return the packages of the suite's components for an architecture, ``all`` included.

        Raises `ArchiveError` when the suite has no such index, `DownloadError` when it cannot be
        had.
        """
        async with task_group() as tasks:
            found = [
                later(tasks, partial(self._component, component, architecture))
                for component in self.suite.components
            ]
        return await anyio.to_thread.run_sync(Packages, [each.value for each in found])

    async def _component(self, component: str, architecture: str) -> bytes:
        plain = f"{component}/binary-{architecture}/Packages"
        kind = next((kind for kind in KINDS if plain + kind in self.release.files), None)
        if kind is None:
            raise ArchiveError(f"{self.suite} has no index `{plain}`")
        path = plain + kind
        index = self.release.files[path]
        directory = f"{self._root}/dists/{self.suite.name}"
        urls = [f"{directory}/{path}"]
        if self.release.acquire_by_hash:
            parent = path.rpartition("/")[0]
            urls.insert(0, f"{directory}/{parent}/by-hash/SHA256/{index.sha256}")
        name = f"{self.suite.name} {path}"
        file = await self._fetcher.download(urls, sha256=index.sha256, size=index.size, name=name)
        return await anyio.to_thread.run_sync(read_index, file, kind, index.sha256)


async def open_suite(
    suite: Suite, *, fetcher: Fetcher, mirrors: Mirrors, locked: str | None = None
) -> OpenSuite:
    """Return `suite` from the first mirror that has it, or else as the snapshot service has it now.

    When `mirrors` are pinned, it is the suite of that moment. Otherwise `locked` is the date of the
    release that a lock has: an older one is as good as none, as who gives it withholds updates.
    Without a network it is the suite as it was opened last, however long ago. Raises
    `DownloadError` when no place gives its InRelease file, and `ArchiveError` when one gives a file
    that is forged or about another suite, or none gives one that is recent.
    """
    if fetcher.offline:
        return _opened_last(suite, fetcher, mirrors, locked)
    failures = []
    stale: list[ArchiveError] = []
    archive = known_archive(suite.archive)
    for root in mirrors.releases(suite.archive):
        url = f"{root}/dists/{suite.name}/InRelease"
        try:
            content = await fetcher.get(url, limit=_LARGEST_INRELEASE)
        except DownloadError as error:
            failures.append(error.message)
            continue
        keys = archive_keys(archive.distribution)
        release = read_release(content, name=str(suite), keys=keys, signer=archive.title)
        _check_suite(suite, release, root)
        fault = _staleness(suite, release, root, mirrors.pinned, locked)
        if fault is None:
            fetcher.cache.set_note(_NOTES, _note_key(suite, mirrors), content)
            return OpenSuite(suite, release, root, fetcher)
        stale.append(fault)
    if stale:
        raise stale[0]
    msg = "\n  ".join([f"cannot reach {suite}", *failures])
    raise DownloadError(msg, hint=_mirror_hint(suite.archive))


async def fetch_debs(
    debs: Sequence[LockedDeb],
    archives: Iterable[LockedArchive],
    *,
    fetcher: Fetcher,
    mirrors: Mirrors,
) -> list[Path]:
    """Return the cached files of `debs`, in order, fetching those that are missing.

    The snapshot service is asked for what no mirror has, gently: it limits the rate of requests.
    Raises `ArchiveError`, naming the packages, when no place has them any more, and `HashError`
    when a place gives other bytes.
    """
    places = _Places(mirrors, archives)
    missing = await _download(debs, places.mirrors, fetcher, parallel=_PARALLEL)
    # One package first: where the service is out of reach, it is not asked for every package.
    gone = await _download(missing[:1], places.snapshot, fetcher, parallel=1)
    if not gone:
        rest = missing[1:]
        gone = await _download(rest, places.snapshot, fetcher, parallel=_PARALLEL_ON_SNAPSHOT)
    if gone:
        missing = [deb for deb in missing if fetcher.cache.find(deb.sha256) is None]
        raise _gone_error(missing, places)
    return [fetcher.cache.path(deb.sha256) for deb in debs]


async def can_fetch(
    deb: LockedDeb, archives: Iterable[LockedArchive], *, fetcher: Fetcher, mirrors: Mirrors
) -> bool:
    """Tell whether some place still offers a file of the path and size of `deb`."""
    places = _Places(mirrors, archives)
    for url in [*places.mirrors(deb), *places.snapshot(deb)]:
        try:
            if await fetcher.content_length(url) == deb.size:
                return True
        except DownloadError:
            continue
    return False


class _Places:
    """The URLs that a locked package may have."""

    def __init__(self, mirrors: Mirrors, archives: Iterable[LockedArchive]) -> None:
        self._mirrors = mirrors
        # Of an archive's suites the one that changed last: by then all were as the lock has them.
        self._snapshots: dict[str, str] = {}
        for archive in archives:
            known = self._snapshots.get(archive.name, archive.snapshot)
            self._snapshots[archive.name] = max(known, archive.snapshot)

    def mirrors(self, deb: LockedDeb) -> list[str]:
        return [f"{root}/{deb.path}" for root in self._mirrors.of(deb.archive)]

    def snapshot(self, deb: LockedDeb) -> list[str]:
        root = self._mirrors.snapshot(deb.archive, self._snapshots[deb.archive])
        return [f"{root}/{deb.path}"]


async def _download(
    debs: Sequence[LockedDeb],
    places: Callable[[LockedDeb], list[str]],
    fetcher: Fetcher,
    *,
    parallel: int,
) -> list[LockedDeb]:
    """Fetch `debs` and return those that none of their places gives."""
    missing: set[str] = set()
    limiter = anyio.CapacityLimiter(parallel)

    async def download(deb: LockedDeb) -> None:
        name = f"{deb.name} {deb.version}"
        async with limiter:
            try:
                await fetcher.download(places(deb), sha256=deb.sha256, size=deb.size, name=name)
            except HashError:
                raise
            except DownloadError:
                missing.add(deb.sha256)

    async with task_group() as tasks:
        for deb in debs:
            tasks.start_soon(download, deb)
    return [deb for deb in debs if deb.sha256 in missing]


def _opened_last(suite: Suite, fetcher: Fetcher, mirrors: Mirrors, locked: str | None) -> OpenSuite:
    """Return the suite that the cache has a note of; raises `OfflineError`, `ArchiveError`."""
    note = fetcher.cache.note(_NOTES, _note_key(suite, mirrors))
    try:
        content = msgspec.json.decode(note, type=bytes) if note else None
    except msgspec.DecodeError:  # damaged: as good as none
        content = None
    if content is None:
        raise OfflineError((f"the packages of {suite}",))
    archive = known_archive(suite.archive)
    keys = archive_keys(archive.distribution)
    release = read_release(content, name=str(suite), keys=keys, signer=archive.title)
    if locked is not None and release.snapshot < locked:
        raise ArchiveError(
            f"the cache has a release of {suite} of {release.snapshot}, and the lock has that of "
            f"{locked}",
            hint="go without `--offline`, so that today's is fetched",
        )
    return OpenSuite(suite, release, "", fetcher)


def _note_key(suite: Suite, mirrors: Mirrors) -> str:
    return "-".join(filter(None, (suite.archive, suite.name, mirrors.pinned)))


def _check_suite(suite: Suite, release: Release, root: str) -> None:
    """Refuse a release of another suite: one that is signed may still be misplaced."""
    field = known_archive(suite.archive).suite_field
    found = release.suite if field == "Suite" else release.codename
    if found != suite.name:
        msg = f"`{plain_url(root)}` answers with the suite `{found}` for {suite}"
        raise ArchiveError(msg, hint=_mirror_hint(suite.archive))


def _staleness(
    suite: Suite, release: Release, root: str, pinned: str | None, locked: str | None
) -> ArchiveError | None:
    """Return what is wrong with the age of a release, or None."""
    place = f"`{plain_url(root)}`"
    if pinned is not None:
        if release.snapshot <= pinned:
            return None
        msg = f"{place} answers with a release of {suite} of {release.snapshot} for {pinned}"
        return ArchiveError(msg, hint="the snapshot service keeps no state as old as that")
    if locked is not None and release.snapshot < locked:
        return ArchiveError(
            f"{place} is out of date: its release of {suite} is of {release.snapshot}, and the "
            f"lock has that of {locked}",
            hint=f"{_mirror_hint(suite.archive)} that is up to date; to go back to an older state "
            "on purpose, set `archives.snapshot` in cogn.toml",
        )
    # The place of a snapshot says itself that it is old.
    if release.valid_until is None or snapshot_of(root) is not None:
        return None
    if release.valid_until < datetime.now(UTC):
        return ArchiveError(
            f"{place} is out of date: its release of {suite} was valid until "
            f"{release.valid_until:%Y-%m-%d %H:%M} UTC",
            hint=f"check the clock, or {_mirror_hint(suite.archive)}",
        )
    return None


def _gone_error(debs: Sequence[LockedDeb], places: _Places) -> ArchiveError:
    names = ", ".join(f"{deb.name} {deb.version}" for deb in debs)
    tried = [
        plain_url(url).removesuffix(f"/{debs[0].path}")
        for url in [*places.mirrors(debs[0]), *places.snapshot(debs[0])]
    ]
    msg = "\n  ".join([f"no archive gives these packages of the lock: {names}; tried", *tried])
    hint = (
        "archives drop versions that were superseded: `cogn lock --upgrade` locks today's versions;"
        f" to keep the lock, {_mirror_hint(debs[0].archive)} that keeps old versions, or copy the "
        "cache from a machine that has them"
    )
    return ArchiveError(msg, hint=hint)


def _mirror_hint(archive: str) -> str:
    return f"set {known_archive(archive).variable} to a mirror"
