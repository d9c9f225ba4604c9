"""Packages that no image can have, because their scripts need more than a file system."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["REFUSED"]

_DOWNLOADS = "it downloads what it installs"

REFUSED: Mapping[str, str] = {
    "flashplugin-nonfree": _DOWNLOADS,
    "steam-installer": _DOWNLOADS,
    "ttf-mscorefonts-installer": _DOWNLOADS,
    "mariadb-server": "it starts a database server to set it up",
    "mysql-server-8.0": "it starts a database server to set it up",
    "mysql-server-8.4": "it starts a database server to set it up",
    "slapd": "it starts a directory server to set it up",
}
"""Why, by the name of the package."""
