"""Archives of Debian packages: mirrors, verified releases, package indexes and packages by hash."""

from cogn.store.debian.archive import (
    LockedArchive,
    LockedDeb,
    OpenSuite,
    Suite,
    can_fetch,
    fetch_debs,
    open_suite,
)
from cogn.store.debian.distributions import ARCHIVES, KnownArchive, known_archive
from cogn.store.debian.indexes import Packages
from cogn.store.debian.keys import archive_keys
from cogn.store.debian.mirrors import Mirrors
from cogn.store.debian.packages import (
    Package,
    Relation,
    parse_installed,
    parse_packages,
    parse_relations,
)
from cogn.store.debian.release import SNAPSHOT_FORMAT, IndexFile, Release, read_release

__all__ = [
    "ARCHIVES",
    "SNAPSHOT_FORMAT",
    "IndexFile",
    "KnownArchive",
    "LockedArchive",
    "LockedDeb",
    "Mirrors",
    "OpenSuite",
    "Package",
    "Packages",
    "Relation",
    "Release",
    "Suite",
    "archive_keys",
    "can_fetch",
    "fetch_debs",
    "known_archive",
    "open_suite",
    "parse_installed",
    "parse_packages",
    "parse_relations",
    "read_release",
]
