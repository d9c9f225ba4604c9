"""The archives that cogn knows: which distribution each belongs to, and where it is kept for good.

An archive is one tree of files with all suites of a distribution, or with its security updates, or
with the architectures that have a tree of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from cogn.store.errors import ArchiveError

__all__ = ["ARCHIVES", "KnownArchive", "known_archive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownArchive:
    """What is known of an archive before anything of it was fetched."""

    name: str
    distribution: str
    """Whose keys sign it: ``debian`` or ``ubuntu``."""
    title: str
    """The distribution's name for people."""
    suite_field: str
    """The field of a release that has the name under which a suite's directory is asked for."""
    variable: str
    """The environment variable that holds a mirror of it."""
    snapshots: str
    """The root of the service that keeps it as it was; a moment follows."""
    snapshot_delay: timedelta
    """How much later than the date of a release a moment is that surely shows that release."""


_DEBIAN_SNAPSHOTS = "https://snapshot.debian.org/archive"
# Its tree has all architectures, those of the ports archive too, which has no snapshots.
_UBUNTU_SNAPSHOTS = "https://snapshot.ubuntu.com/ubuntu"

# Debian's service imports an archive some hours after its date and answers a moment with the last
# import before it. Both archives keep packages for more than a day after they are superseded.
_DEBIAN_DELAY = timedelta(days=1)
_UBUNTU_DELAY = timedelta(hours=6)


def _debian(name: str, variable: str) -> KnownArchive:
    return KnownArchive(
        name=name,
        distribution="debian",
        title="Debian",
        suite_field="Codename",
        variable=variable,
        snapshots=f"{_DEBIAN_SNAPSHOTS}/{name}",
        snapshot_delay=_DEBIAN_DELAY,
    )


def _ubuntu(name: str, variable: str) -> KnownArchive:
    return KnownArchive(
        name=name,
        distribution="ubuntu",
        title="Ubuntu",
        suite_field="Suite",  # all pockets of a release have its code name
        variable=variable,
        snapshots=_UBUNTU_SNAPSHOTS,
        snapshot_delay=_UBUNTU_DELAY,
    )


ARCHIVES = {
    archive.name: archive
    for archive in (
        _debian("debian", "COGN_DEBIAN_MIRROR"),
        _debian("debian-security", "COGN_DEBIAN_SECURITY_MIRROR"),
        _ubuntu("ubuntu", "COGN_UBUNTU_MIRROR"),
        _ubuntu("ubuntu-ports", "COGN_UBUNTU_PORTS_MIRROR"),
    )
}
"""All of them, by name."""


def known_archive(name: str) -> KnownArchive:
    """Return the archive of that name; raises `ArchiveError` for one that cogn does not know."""
    try:
        return ARCHIVES[name]
    except KeyError as error:
        known = ", ".join(f"`{each}`" for each in ARCHIVES)
        raise ArchiveError(
            f"there is no archive `{name}`", hint=f"cogn knows these: {known}"
        ) from error
