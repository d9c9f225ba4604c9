"""What commands go by that need no project, but heed the one they are started in."""

from __future__ import annotations

from pathlib import Path

from cogn.resolver.errors import ProjectError
from cogn.resolver.root import SETTINGS_NAME, find_root
from cogn.resolver.settings import read_settings
from cogn.store.registry import RegistryConfiguration

__all__ = ["registry_configuration"]


def registry_configuration() -> RegistryConfiguration:
    """Return where registries are for somebody in this directory."""
    try:
        settings = find_root(Path.cwd()) / SETTINGS_NAME
    except ProjectError:
        return RegistryConfiguration.load()
    return RegistryConfiguration.load(read_settings(settings).registry_tables)
