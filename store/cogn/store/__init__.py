"""Where bytes are, come from and go to: the cache, checked HTTP, archives, registries, uv."""

from cogn.store.cache import Cache
from cogn.store.errors import (
    ArchiveError,
    BuildError,
    DamagedBlobError,
    DownloadError,
    HashError,
    RegistryError,
    StoreError,
    UvError,
)
from cogn.store.files import replace_file, replacing

__all__ = [
    "ArchiveError",
    "BuildError",
    "Cache",
    "DamagedBlobError",
    "DownloadError",
    "HashError",
    "RegistryError",
    "StoreError",
    "UvError",
    "replace_file",
    "replacing",
]
