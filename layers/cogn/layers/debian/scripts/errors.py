"""Errors about maintainer scripts.

::

    DebError
    └── ScriptError   a package's script does something that cogn cannot follow
"""

from __future__ import annotations

from cogn.layers.errors import DebError

__all__ = ["ScriptError", "Unfollowed"]


class Unfollowed(Exception):  # noqa: N818  # it never leaves this package
    """Raised where a script, or what it starts, does something that nobody looked at."""


class ScriptError(DebError):
    """Raised for a package whose scripts have an effect that cogn does not know."""

    def __init__(self, package: str, script: str, reason: str, text: str) -> None:
        name = package.partition(" ")[0]
        super().__init__(
            f"the {script} script of `{package}` has effects that cogn does not know: {reason}",
            hint=(
                f'if the image needs none of them, say so with `allow_unrun = ["{name}"]` in '
                f"cogn.toml; else take another package\n\nthe script:\n{text}"
            ),
        )
