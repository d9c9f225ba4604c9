"""The options of the programs that scripts call (getopt_long(3) as GNU's programs use it)."""

from __future__ import annotations

from collections.abc import Sequence
from getopt import GetoptError, getopt, gnu_getopt

from cogn.layers.debian.scripts.errors import Unfollowed

__all__ = ["options"]


def options(
    arguments: Sequence[str], short: str, long: Sequence[str] = (), *, mixed: bool = True
) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the options with their values, and the other words.

    `mixed` says whether options may follow other words. Raises `Unfollowed` for an option that is
    not among them.
    """
    try:
        return (gnu_getopt if mixed else getopt)(list(arguments), short, list(long))
    except GetoptError as error:
        raise Unfollowed(f"it calls a program in a way that is not known: {error.msg}") from error
