"""Names of packages that a release does not have, and what may have been meant."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cogn.resolver.debian import Universe
from cogn.resolver.errors import ResolveError

__all__ = ["unknown_package"]

_SUCCESSORS = {
    "chromium-browser": "chromium",
    "libatlas-base-dev": "libopenblas-dev",
    "libavresample-dev": "libswresample-dev",
    "libcurl4-openssl": "libcurl4t64",
    "libegl1-mesa": "libegl1",
    "libgl1-mesa-glx": "libgl1",
    "libgles2-mesa": "libgles2",
    "libjasper-dev": "libopenjp2-7-dev",
    "libjpeg8": "libjpeg62-turbo",
    "libjpeg8-dev": "libjpeg-dev",
    "libmysqlclient-dev": "default-libmysqlclient-dev",
    "libncurses5-dev": "libncurses-dev",
    "libncursesw5-dev": "libncurses-dev",
    "libpng12-dev": "libpng-dev",
    "mesa-glx": "libgl1",
    "mime-support": "media-types",
    "mysql-client": "default-mysql-client",
    "mysql-server": "default-mysql-server",
    "netcat": "netcat-openbsd",
    "policykit-1": "polkitd",
    "python": "python3",
    "python3-distutils": "python3-setuptools",
    "ttf-bitstream-vera": "fonts-dejavu-core",
    "ttf-freefont": "fonts-freefont-ttf",
    "ttf-mscorefonts-installer": "fonts-liberation",
    "vim-gnome": "vim-gtk3",
    "youtube-dl": "yt-dlp",
}
"""What took the place of packages that releases dropped, where no rule below tells."""

_RULES = (
    (re.compile(r"ttf-(.+)"), r"fonts-\1"),
    (re.compile(r"python-(.+)"), r"python3-\1"),
    (re.compile(r"openjdk-\d+-(jdk|jre)(?:-headless)?"), r"default-\1-headless"),
    (re.compile(r"(lib.+)"), r"\1t64"),
)
_ABI = re.compile(r"(lib.*?[a-z+-])(?:\d[\d.]*(?:t64)?)((?:-[a-z].*)?)")
"""A library's name: what stays, the version of its interface, and what comes with it."""


def unknown_package(name: str, universe: Universe) -> ResolveError:
    """Return the error for a name that `universe` has nothing for. Nothing is put in its place."""
    message = f"there is no package `{name}` in this release"
    if found := list(dict.fromkeys(_successors(name, universe))):
        return ResolveError(message, hint=f"in this release it may be {_quoted(found)}")
    similar = universe.similar(name)
    return ResolveError(message, hint=f"similar names: {_quoted(similar)}" if similar else None)


def _successors(name: str, universe: Universe) -> Iterator[str]:
    guesses = [_SUCCESSORS.get(name, "")]
    for pattern, replacement in _RULES:
        if match := pattern.fullmatch(name):
            guesses.append(match.expand(replacement))
    yield from (guess for guess in guesses if universe.find(guess) is not None)
    if match := _ABI.fullmatch(name):
        kept = match.groups()
        others = ((other, _ABI.fullmatch(other)) for other in universe.names)
        yield from sorted(other for other, same in others if same and same.groups() == kept)[:5]


def _quoted(names: list[str]) -> str:
    return " or ".join(f"`{name}`" for name in names)
