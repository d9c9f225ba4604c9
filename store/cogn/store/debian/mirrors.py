"""Where the bytes of an archive come from.

In this order: the mirrors of the user's configuration, the mirrors that the machine's own apt uses,
the snapshot service. None of them is trusted: a signature or a hash decides over every byte.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from debian.deb822 import Deb822

from cogn.store.debian.distributions import ARCHIVES, known_archive
from cogn.store.debian.release import SNAPSHOT_FORMAT
from cogn.store.errors import ArchiveError

__all__ = ["Mirrors", "snapshot_of"]

_SNAPSHOT_PART = re.compile(r"/(\d{8}T\d{6}Z)(/|$)")


@dataclass(frozen=True, slots=True)
class Mirrors:
    """The mirrors of each archive: URLs of archive roots, without a slash at the end."""

    roots: Mapping[str, tuple[str, ...]]
    snapshot_service: str | None = None
    """What keeps every archive as it was, in place of the distributions' own services."""
    pinned: str | None = None
    """The moment as of which suites are opened, such as ``20260901T000000Z``; None for now."""

    @classmethod
    def find(
        cls,
        configured: Mapping[str, str] | None = None,
        *,
        pinned: str | None = None,
        environment: Mapping[str, str] = os.environ,
        apt: Path = Path("/etc/apt"),
    ) -> Mirrors:
        """Return the mirrors to use on this machine, best first.

        `configured` maps archive names to URLs and goes before `environment`, that before the
        sources in the directory `apt`. The suite that a source names does not matter: one root
        holds all suites. Raises `ArchiveError` for a configured URL that is not HTTP, and for a
        `pinned` that is no moment.
        """
        if pinned is not None:
            _moment(pinned)
        machine = list(_apt_roots(apt))
        roots = {}
        for archive, known in ARCHIVES.items():
            variable = known.variable
            chosen = (configured or {}).get(archive) or environment.get(variable)
            if chosen is not None and not _is_http(chosen):
                msg = f"the mirror of the archive `{archive}` is not an http or https URL"
                raise ArchiveError(msg, hint=f"see the variable {variable}")
            candidates = [chosen] if chosen else []
            candidates += (root for root in machine if root.rpartition("/")[2] == archive)
            roots[archive] = tuple(dict.fromkeys(root.rstrip("/") for root in candidates))
        return cls(roots, pinned=pinned)

    def of(self, archive: str) -> tuple[str, ...]:
        """Return the roots of the mirrors of an archive; none is possible."""
        return self.roots.get(archive, ())

    def releases(self, archive: str) -> tuple[str, ...]:
        """Return the roots where a suite's release is looked for, best first.

        When a moment is pinned, these are the snapshot service and mirrors of just that moment: any
        other mirror's state is that of another time, whatever its date.
        """
        if self.pinned is None:
            return (*self.of(archive), self._at(archive, datetime.now(UTC)))
        same = (root for root in self.of(archive) if snapshot_of(root) == self.pinned)
        return (*same, self._at(archive, _moment(self.pinned)))

    def snapshot(self, archive: str, locked: str) -> str:
        """Return the root of an archive on the snapshot service as a lock needs it.

        `locked` is the ``Date`` of an InRelease file. Asking for the date itself may give the state
        that came before it, so a somewhat later moment is asked for. Raises `ArchiveError`.
        """
        return self._at(archive, _moment(locked) + known_archive(archive).snapshot_delay)

    def _at(self, archive: str, moment: datetime) -> str:
        own = self.snapshot_service
        root = known_archive(archive).snapshots if own is None else f"{own}/{archive}"
        return f"{root}/{moment.strftime(SNAPSHOT_FORMAT)}"


def snapshot_of(root: str) -> str | None:
    """Return the moment that the URL of an archive's root names, or None."""
    match = _SNAPSHOT_PART.search(root)
    return None if match is None else match[1]


def _moment(locked: str) -> datetime:
    try:
        return datetime.strptime(locked, SNAPSHOT_FORMAT).replace(tzinfo=UTC)
    except ValueError as error:
        raise ArchiveError(f"`{locked}` is not the date of a snapshot") from error


def _apt_roots(apt: Path) -> Iterator[str]:
    """Yield the HTTP roots of the machine's apt sources (sources.list(5)).

    Only those with the component ``main``, which every archive here has: other archives end in
    ``/debian`` or ``/ubuntu`` as well.
    """
    directory = apt / "sources.list.d"
    for file in [apt / "sources.list", *sorted(directory.glob("*.list"))]:
        for line in _text(file).splitlines():
            yield from _one_line_roots(line)
    for file in sorted(directory.glob("*.sources")):
        for source in Deb822.iter_paragraphs(_text(file), use_apt_pkg=False):
            if (
                source.get("Enabled", "yes") == "yes"
                and "deb" in source.get("Types", "").split()
                and "main" in source.get("Components", "").split()
            ):
                yield from _usable(source.get("URIs", "").split())


def _one_line_roots(line: str) -> Iterator[str]:
    kind, _, rest = line.strip().partition(" ")
    if kind == "deb":
        rest = rest.strip()
        if rest.startswith("["):
            rest = rest.partition("]")[2]
        uri, *where = rest.split() or [""]
        if "main" in where[1:]:
            yield from _usable([uri])


def _usable(uris: Iterable[str]) -> Iterator[str]:
    return (uri.rstrip("/") for uri in uris if _is_http(uri))


def _is_http(url: str) -> bool:
    return urlsplit(url).scheme in {"http", "https"}


def _text(file: Path) -> str:
    """Return the text of a source file; one that cannot be read is as good as none."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
