"""`python -m cog.server.http`: start the HTTP server of the model in the current directory.

This process is the model's Python; the server is another environment, which the model must not
see and which must not see the model. So it is replaced by an isolated interpreter whose modules
come from the server's own site directories and the standard library.

`COGN_SERVER` names those directories, separated like `PATH`; `/opt/cogn/server` without it.
"""

from __future__ import annotations

import os
import pathlib
import sys
from typing import NoReturn

__all__ = ["main"]

_DEFAULT_SITE = "/opt/cogn/server"

_START_FRONT = """\
import os, signal, sys
# The first process of a container would not end by the signal alone while this starts.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
sys.path[:0] = sys.argv.pop(1).split(os.pathsep)
from cogn_runtime.front.main import main
sys.exit(main(sys.argv[1:]))
"""


def main() -> NoReturn:
    """Become the server; exit with status 1 and a message when it is not installed."""
    site = os.environ.get("COGN_SERVER") or _DEFAULT_SITE
    for directory in site.split(os.pathsep):
        if not pathlib.Path(directory).is_dir():
            sys.exit(
                f"error: the server's site directory does not exist: {directory}\n\n"
                "hint: set COGN_SERVER to the directories that hold the server's packages"
            )
    interpreter = [sys.executable, "-I", "-S", "-c", _START_FRONT]
    os.execv(sys.executable, [*interpreter, site, *sys.argv[1:]])  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    main()
