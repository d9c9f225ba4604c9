"""Wheels that a lock names: found again, fetched in parallel and checked, into the cache.

A lock says what a wheel is and not where. The places seen at lock time are kept as notes in the
cache, ``notes/wheels/<sha256>``; a machine without them asks uv, which asks the user's indexes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

import anyio.to_thread
import msgspec

from cogn.report import ProblemsError
from cogn.store.cache import Cache
from cogn.store.errors import DownloadError
from cogn.store.http import Fetcher
from cogn.store.tasks import task_group
from cogn.store.uv import FoundWheel, Target, Uv

__all__ = ["LockedWheel", "fetch_wheels", "note_wheels"]

_NOTES = "wheels"
_GONE_HINT = "run `cogn lock --upgrade`, or configure an index for uv that still has it"


class LockedWheel(Protocol):
    """What a lock says about one wheel."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def version(self) -> str: ...  # noqa: D102
    @property
    def file(self) -> str: ...  # noqa: D102
    @property
    def sha256(self) -> str: ...  # noqa: D102
    @property
    def size(self) -> int: ...  # noqa: D102


class _Note(msgspec.Struct, frozen=True):
    """Where a wheel was last seen, and its size in bytes."""

    url: str
    size: int


async def note_wheels(wheels: Iterable[FoundWheel], fetcher: Fetcher) -> dict[str, int]:
    """Keep where the wheels are; return each one's size in bytes by its SHA-256.

    A size that the index does not state is asked of the server. Raises `DownloadError`.
    """
    sizes: dict[str, int] = {}

    async def note(wheel: FoundWheel) -> None:
        known = _read_note(fetcher.cache, wheel.sha256)
        size = known.size if known else await _size(wheel, fetcher)
        if known != (seen := _Note(wheel.url, size)) and _is_plain(wheel.url):
            fetcher.cache.set_note(_NOTES, wheel.sha256, seen)
        sizes[wheel.sha256] = size

    async with task_group() as tasks:
        for wheel in wheels:
            tasks.start_soon(note, wheel)
    return sizes


async def fetch_wheels(
    wheels: Sequence[LockedWheel], *, target: Target, uv: Uv, fetcher: Fetcher
) -> tuple[Path, ...]:
    """Return the wheels' files in the cache, after fetching those that are missing.

    Raises `DownloadError` naming the wheels that are nowhere any more, `HashError` for one that
    came with other bytes, and `UvError` when uv cannot look for them.
    """
    cache = fetcher.cache
    missing = [wheel for wheel in wheels if cache.find(wheel.sha256) is None]
    notes = {wheel.sha256: _read_note(cache, wheel.sha256) for wheel in missing}
    not_noted: list[LockedWheel] = []

    async def fetch_noted(wheel: LockedWheel) -> None:
        try:
            if note := notes[wheel.sha256]:
                await _fetch(wheel, note.url, fetcher)
                return
        except DownloadError:
            pass  # it may have moved: uv knows
        not_noted.append(wheel)

    async with task_group() as tasks:
        for wheel in missing:
            tasks.start_soon(fetch_noted, wheel)
    places = await _locate(not_noted, target, uv)
    async with task_group() as tasks:
        for wheel in not_noted:
            tasks.start_soon(_fetch, wheel, places[wheel.sha256], fetcher)
    return tuple(cache.path(wheel.sha256) for wheel in wheels)


async def _fetch(wheel: LockedWheel, url: str, fetcher: Fetcher) -> None:
    if path := _local_path(url):
        await anyio.to_thread.run_sync(_copy, path, wheel, fetcher.cache)
    else:
        await fetcher.download([url], sha256=wheel.sha256, size=wheel.size, name=wheel.file)


def _copy(path: Path, wheel: LockedWheel, cache: Cache) -> None:
    try:
        with path.open("rb") as source, cache.blob(expect=wheel.sha256, what=wheel.file) as blob:
            shutil.copyfileobj(source, blob, 1 << 20)
    except OSError as error:
        msg = f"cannot read `{path}`: {error.strerror}"
        raise DownloadError(msg) from error


async def _locate(wheels: Sequence[LockedWheel], target: Target, uv: Uv) -> dict[str, str]:
    """Return where the wheels are now, by their SHA-256, as uv says."""
    found: list[FoundWheel] = []
    for pins in _pins(wheels):
        found += await uv.locate(pins, target)
    places = {wheel.sha256: wheel.url for wheel in found}
    files = {wheel.file for wheel in found}
    problems = []
    for wheel in wheels:
        if wheel.sha256 not in places:
            if wheel.file in files:
                msg = f"the {wheel.file} that uv finds has another SHA-256 hash than the locked one"
            else:
                msg = f"{wheel.file} is not on the index any more"
            problems.append(DownloadError(msg, hint=_GONE_HINT))
    ProblemsError.raise_if_any(problems)
    return places


def _pins(wheels: Iterable[LockedWheel]) -> list[dict[str, str]]:
    """Return the versions to look for: two of one package, which uv refuses, stand apart."""
    rounds: list[dict[str, str]] = []
    for wheel in wheels:
        pins = next((pins for pins in rounds if wheel.name not in pins), None)
        if pins is None:
            rounds.append(pins := {})
        pins[wheel.name] = wheel.version
    return rounds


async def _size(wheel: FoundWheel, fetcher: Fetcher) -> int:
    if wheel.size is not None:
        return wheel.size
    if path := _local_path(wheel.url):
        try:
            return path.stat().st_size
        except OSError as error:
            msg = f"cannot read `{path}`: {error.strerror}"
            raise DownloadError(msg) from error
    try:
        return await fetcher.content_length(wheel.url)
    except DownloadError:  # not every index answers HEAD requests
        path = await fetcher.download([wheel.url], sha256=wheel.sha256, name=wheel.file)
        return path.stat().st_size


def _read_note(cache: Cache, sha256: str) -> _Note | None:
    content = cache.note(_NOTES, sha256)
    try:
        return msgspec.json.decode(content, type=_Note) if content else None
    except msgspec.DecodeError:
        return None


def _local_path(url: str) -> Path | None:
    parts = urlsplit(url)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


def _is_plain(url: str) -> bool:
    """Tell whether the URL carries nothing that may be a secret."""
    parts = urlsplit(url)
    return not parts.query and parts.username is None and parts.password is None
