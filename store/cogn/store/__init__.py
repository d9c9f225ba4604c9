"""Where bytes are, come from and go to: the cache, checked HTTP, archives, registries, uv."""

from cogn.store.cache import Cache, replace_file
from cogn.store.errors import (
    ArchiveError,
    DownloadError,
    HashError,
    RegistryError,
    StoreError,
    UvError,
)

__all__ = [
    "ArchiveError",
    "Cache",
    "DownloadError",
    "HashError",
    "RegistryError",
    "StoreError",
    "UvError",
    "replace_file",
]
