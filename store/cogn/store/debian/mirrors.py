"""Where the bytes of a Debian archive come from.

In this order: the mirrors of the user's configuration, the mirrors that the machine's own apt uses,
the snapshot service. None of them is trusted: a signature or a hash decides over every byte.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from debian.deb822 import Deb822

from cogn.store.debian.release import SNAPSHOT_FORMAT
from cogn.store.errors import ArchiveError

__all__ = ["MIRROR_VARIABLES", "Mirrors"]

MIRROR_VARIABLES = {
    "debian": "COGN_DEBIAN_MIRROR",
    "debian-security": "COGN_DEBIAN_SECURITY_MIRROR",
}
"""The environment variable that holds the mirror of each archive, by the archive's name."""

_SNAPSHOT_DELAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Mirrors:
    """The mirrors of each archive: URLs of archive roots, without a slash at the end.

    `snapshot_service` keeps every archive as it was at many moments.
    """

    roots: Mapping[str, tuple[str, ...]]
    snapshot_service: str = "https://snapshot.debian.org/archive"

    @classmethod
    def find(
        cls,
        configured: Mapping[str, str] | None = None,
        *,
        environment: Mapping[str, str] = os.environ,
        apt: Path = Path("/etc/apt"),
    ) -> Mirrors:
        """Return the mirrors to use on this machine, best first.

        `configured` maps archive names to URLs and goes before `environment`, that before the
        sources in the directory `apt`. The suite that a source names does not matter: one root
        holds all suites. Raises `ArchiveError` for a configured URL that is not HTTP.
        """
        machine = list(_apt_roots(apt))
        roots = {}
        for archive, variable in MIRROR_VARIABLES.items():
            chosen = (configured or {}).get(archive) or environment.get(variable)
            if chosen is not None and not _is_http(chosen):
                msg = f"the mirror of the archive `{archive}` is not an http or https URL"
                raise ArchiveError(msg, hint=f"see the variable {variable}")
            candidates = [chosen] if chosen else []
            candidates += (root for root in machine if root.rpartition("/")[2] == archive)
            roots[archive] = tuple(dict.fromkeys(root.rstrip("/") for root in candidates))
        return cls(roots)

    def of(self, archive: str) -> tuple[str, ...]:
        """Return the roots of the mirrors of an archive; none is possible."""
        return self.roots.get(archive, ())

    def snapshot(self, archive: str, locked: str | None = None) -> str:
        """Return the root of an archive on the snapshot service, now or as a lock needs it.

        `locked` is the ``Date`` of an InRelease file. The service imports an archive some hours
        after that date and answers a moment with the last import before it, so asking for the date
        itself would give the state that came before. A day later is right: an archive keeps
        packages for more than a day after they are superseded.
        """
        moment = datetime.now(UTC) if locked is None else _moment(locked) + _SNAPSHOT_DELAY
        return f"{self.snapshot_service}/{archive}/{moment.strftime(SNAPSHOT_FORMAT)}"


def _moment(locked: str) -> datetime:
    try:
        return datetime.strptime(locked, SNAPSHOT_FORMAT).replace(tzinfo=UTC)
    except ValueError as error:
        raise ArchiveError(f"`{locked}` is not the date of a snapshot") from error


def _apt_roots(apt: Path) -> Iterator[str]:
    """Yield the HTTP roots of the machine's apt sources (sources.list(5))."""
    directory = apt / "sources.list.d"
    for file in [apt / "sources.list", *sorted(directory.glob("*.list"))]:
        for line in _text(file).splitlines():
            yield from _one_line_roots(line)
    for file in sorted(directory.glob("*.sources")):
        for source in Deb822.iter_paragraphs(_text(file), use_apt_pkg=False):
            if source.get("Enabled", "yes") == "yes" and "deb" in source.get("Types", "").split():
                yield from _usable(source.get("URIs", "").split())


def _one_line_roots(line: str) -> Iterator[str]:
    kind, _, rest = line.strip().partition(" ")
    if kind == "deb":
        rest = rest.strip()
        if rest.startswith("["):
            rest = rest.partition("]")[2]
        yield from _usable(rest.split()[:1])


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
