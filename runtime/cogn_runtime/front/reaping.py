"""Takes leave of processes that nobody else waits for, when the server is a container's first one.

In cogn's images `tini` does that; some platforms start the command without it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

import anyio

__all__ = ["reap_orphans"]

_SECONDS = 2.0


async def reap_orphans(is_own: Callable[[int], bool]) -> None:
    """Reap dead children for ever, but those that `is_own` says others here wait for.

    Returns at once when this is not the first process.
    """
    if os.getpid() != 1:
        return
    while True:
        await anyio.sleep(_SECONDS)
        _reap(is_own)


def _reap(is_own: Callable[[int], bool]) -> None:
    with contextlib.suppress(ChildProcessError):
        while (
            dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        ) is not None and not is_own(dead.si_pid):
            os.waitpid(dead.si_pid, os.WNOHANG)
