"""Wheels that a lock names: found again, fetched in parallel and checked, into the cache.

A lock says what a wheel is and not where. The places seen at lock time are kept as notes in the
cache, ``notes/wheels/<sha256>``; a machine without them asks uv, which asks the user's indexes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import msgspec

from cogn.report import ProblemsError, Reporter
from cogn.store.cache import Cache
from cogn.store.errors import DownloadError
from cogn.store.http import Fetcher
from cogn.store.logins import Logins
from cogn.store.origins import expand
from cogn.store.tasks import task_group
from cogn.store.transfer import fetch_file, local_path
from cogn.store.uv import FoundWheel, Target, Uv

__all__ = ["LockedWheel", "Source", "fetch_wheels", "lies_here", "note_wheels", "place_of"]

_NOTES = "wheels"
_LOGIN_HINT = (
    "keep the credentials in a netrc file, with `uv auth login`, or in "
    "`UV_INDEX_NAME_USERNAME` and `UV_INDEX_NAME_PASSWORD`"
)
_GONE_HINT = "run `cogn lock --upgrade`, or configure an index for uv that still has it"


class Source(Protocol):
    """What a lock says about what a wheel was built from."""

    @property
    def file(self) -> str | None: ...  # noqa: D102
    @property
    def sha256(self) -> str | None: ...  # noqa: D102
    @property
    def commit(self) -> str | None: ...  # noqa: D102


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
    @property
    def built(self) -> Source | None: ...  # noqa: D102


class _Note(msgspec.Struct, frozen=True):
    """Where a wheel was last seen, and its size in bytes."""

    url: str
    size: int


async def note_wheels(
    wheels: Iterable[FoundWheel], fetcher: Fetcher, logins: Logins | None = None
) -> dict[str, int]:
    """Keep where the wheels are; return each one's size in bytes by its SHA-256.

    A size that the index does not state is asked of the server. Raises `DownloadError`.
    """
    sizes: dict[str, int] = {}

    async def note(wheel: FoundWheel) -> None:
        known = _read_note(fetcher.cache, wheel.sha256)
        size = known.size if known else await _size(wheel, fetcher, logins)
        if known != (seen := _Note(wheel.url, size)) and _is_plain(wheel.url):
            fetcher.cache.set_note(_NOTES, wheel.sha256, seen)
        sizes[wheel.sha256] = size

    async with task_group() as tasks:
        for wheel in wheels:
            tasks.start_soon(note, wheel)
    return sizes


async def fetch_wheels(
    wheels: Sequence[LockedWheel],
    *,
    target: Target,
    uv: Uv,
    fetcher: Fetcher,
    torch_backend: str | None = None,
    reporter: Reporter | None = None,
) -> tuple[Path, ...]:
    """Return the wheels' files in the cache, after fetching those that are missing.

    Those that were built are built again. Raises `DownloadError` naming the wheels that are
    nowhere any more, `HashError` for one that came with other bytes, `BuildError` for one that
    came out with others, and `UvError` when uv cannot look for them.
    """
    cache = fetcher.cache
    missing = [wheel for wheel in wheels if cache.find(wheel.sha256) is None]
    built = [wheel for wheel in missing if wheel.built is not None]
    fetched = [wheel for wheel in missing if wheel.built is None]
    notes = {wheel.sha256: _read_note(cache, wheel.sha256) for wheel in fetched}
    not_noted: list[LockedWheel] = []

    async def fetch_noted(wheel: LockedWheel) -> None:
        try:
            if url := place_of(wheel.name, wheel.file, wheel.sha256, uv):
                await _fetch(wheel, url, fetcher, uv.logins)
                return
            if note := notes[wheel.sha256]:
                await _fetch(wheel, note.url, fetcher, uv.logins)
                return
        except DownloadError:
            if wheel.name in uv.origins.references:
                raise
            # Else it may have moved: uv knows.
        not_noted.append(wheel)

    async with task_group() as tasks:
        for wheel in fetched:
            tasks.start_soon(fetch_noted, wheel)
    places = await _locate(not_noted, target, uv, torch_backend)
    async with task_group() as tasks:
        for wheel in not_noted:
            tasks.start_soon(_fetch, wheel, places[wheel.sha256], fetcher, uv.logins)
    if built:
        from cogn.store.rebuilding import rebuild  # late: few projects have such wheels

        for wheel in built:  # one after the other: builds take all that there is
            await rebuild(wheel, target, uv=uv, fetcher=fetcher, reporter=reporter or Reporter())
    return tuple(cache.path(wheel.sha256) for wheel in wheels)


def place_of(name: str, file: str, sha256: str, uv: Uv) -> str | None:
    """Return where the requirements themselves say that a file of a package is, as a URL.

    It may have a fragment. None if they do not. Raises `UvError` for an environment variable of
    the place that is not set.
    """
    place = uv.origins.files.get(sha256)
    for reference in uv.origins.references.get(name, ()):
        if unquote(reference.partition("#")[0].rpartition("/")[2]) == file:
            place = reference
    if place is None:
        return None
    expanded = expand(place)
    return expanded if "://" in expanded else (uv.directory / expanded).resolve().as_uri()


def lies_here(wheel: LockedWheel, uv: Uv, cache: Cache) -> bool:
    """Tell whether a wheel is in a directory of this machine, as far as that is known without uv.

    Raises what `place_of` raises.
    """
    note = _read_note(cache, wheel.sha256)
    url = place_of(wheel.name, wheel.file, wheel.sha256, uv) or (note.url if note else "")
    path = local_path(url)
    return path is not None and path.is_file()


async def _fetch(wheel: LockedWheel, url: str, fetcher: Fetcher, logins: Logins) -> None:
    with _explained():
        await fetch_file(
            logins.add(url), sha256=wheel.sha256, size=wheel.size, name=wheel.file, fetcher=fetcher
        )


@contextmanager
def _explained() -> Iterator[None]:
    """Say where credentials are looked for when a server turns somebody away for want of them."""
    try:
        yield
    except DownloadError as error:
        if re.search(r"the server answered 40[13]\b", error.message):
            error.hint = _LOGIN_HINT
        raise


async def _locate(
    wheels: Sequence[LockedWheel], target: Target, uv: Uv, torch_backend: str | None
) -> dict[str, str]:
    """Return where the wheels are now, by their SHA-256, as uv says."""
    found: list[FoundWheel] = []
    for pins in _pins(wheels):
        found += await uv.locate(pins, target, torch_backend=torch_backend)
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


async def _size(wheel: FoundWheel, fetcher: Fetcher, logins: Logins | None) -> int:
    if wheel.size is not None:
        return wheel.size
    if path := local_path(wheel.url):
        try:
            return path.stat().st_size
        except OSError as error:
            msg = f"cannot read `{path}`: {error.strerror}"
            raise DownloadError(msg) from error
    url = logins.add(wheel.url) if logins else wheel.url
    try:
        return await fetcher.content_length(url)
    except DownloadError:  # not every index answers HEAD requests
        with _explained():
            path = await fetcher.download([url], sha256=wheel.sha256, name=wheel.file)
        return path.stat().st_size


def _read_note(cache: Cache, sha256: str) -> _Note | None:
    content = cache.note(_NOTES, sha256)
    try:
        return msgspec.json.decode(content, type=_Note) if content else None
    except msgspec.DecodeError:
        return None


def _is_plain(url: str) -> bool:
    """Tell whether the URL carries nothing that may be a secret."""
    parts = urlsplit(url)
    return not parts.query and parts.username is None and parts.password is None
