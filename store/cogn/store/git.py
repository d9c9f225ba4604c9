"""One commit of a Git repository, checked out by git itself, with its own credentials."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import anyio

from cogn.store.errors import BuildError
from cogn.store.found import FoundSource
from cogn.store.origins import masked

__all__ = ["check_out"]


async def check_out(source: FoundSource, tree: Path, *, secrets: Mapping[str, str]) -> None:
    """Check the commit of `source` out into the directory `tree`, with its submodules.

    The whole history comes along, as many packages find their version in it. Raises `BuildError`;
    `secrets` are kept out of its message.
    """
    commands = (
        ("clone", "--quiet", "--no-checkout", "--", source.url, str(tree)),
        ("-C", str(tree), "checkout", "--quiet", "--detach", source.commit or ""),
        ("-C", str(tree), "submodule", "--quiet", "update", "--init", "--recursive"),
    )
    for command in commands:
        try:
            ended = await anyio.run_process(
                ["git", *command],
                # Nobody is there to answer; hooks and settings of templates are this machine's.
                env={**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_TEMPLATE_DIR": ""},
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except OSError as error:
            raise BuildError(
                f"{source} needs the program `git`: {error.strerror}", hint="install it"
            ) from error
        if ended.returncode != 0:
            said = masked(ended.stderr.decode(errors="replace").strip(), dict(secrets))
            raise BuildError(f"{source} cannot be had\n  git: {said}")
