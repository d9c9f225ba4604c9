"""What a project's own requirements say about where packages come from.

It is known again on every machine that has the project, so that no lock needs to hold it. What
pip takes from the environment, ``${NAME}``, stays as it is written until somebody is asked.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import msgspec

from cogn.store.errors import UvError

__all__ = ["Origins", "expand", "masked", "variables"]

_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_USER = re.compile(r"(?<=://)[^/@\s]+@")


class Origins(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Places of packages: options for uv, direct references, and files by their hashes."""

    options: tuple[str, ...] = ()
    """Options as lines of a requirements file: ``--index-url``, ``--find-links`` and so on. Paths
    are relative to the project."""
    prerelease: bool = False
    """Whether pre-releases may be chosen, of any package."""
    insecure_hosts: tuple[str, ...] = ()
    """The hosts whose certificates need not be right."""
    references: dict[str, tuple[str, ...]] = {}
    """The URLs, or the paths below the project, of packages that are referred to directly: by the
    normalised name. There are several where markers choose."""
    files: dict[str, str] = {}
    """The URL, or the path below the project, of wheels and source archives by their SHA-256."""

    def secrets(self) -> dict[str, str]:
        """Return the values of the variables in all this, by what stands for them.

        Raises `UvError` for a variable that is not set.
        """
        references = (each for several in self.references.values() for each in several)
        texts = (*self.options, *references, *self.files.values())
        return {
            f"${{{name}}}": expand(f"${{{name}}}") for text in texts for name in variables(text)
        }


def variables(text: str) -> Iterator[str]:
    """Yield the names of the environment variables that `text` asks for, in pip's way."""
    yield from _VARIABLE.findall(text)


def expand(text: str) -> str:
    """Return `text` with the values of its variables; raises `UvError` for one that is not set."""
    for name in variables(text):
        if name not in os.environ:
            raise UvError(
                f"the environment variable `{name}`, which the requirements name, is not set",
                hint="set it, or keep the password in a netrc file or in `uv auth`",
            )
    return _VARIABLE.sub(lambda match: os.environ[match[1]], text)


def masked(text: str, secrets: dict[str, str] | None = None) -> str:
    """Return `text` fit to be shown: without users and passwords in URLs, and without `secrets`."""
    for placeholder, value in (secrets or {}).items():
        if value:
            text = text.replace(value, placeholder)
    return _USER.sub("***@", text)
