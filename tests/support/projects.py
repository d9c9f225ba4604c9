"""Assembling projects in processes of their own, with caches that hold what a test wants."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from cogn import lockfiles
from cogn.lockfiles import LOCK_NAME, Lock, StandalonePython
from cogn.store import Cache

COGN = (sys.executable, "-c", "from cogn.cli.main import main; main()")


def unseal(project: Path) -> Lock:
    """Take the seals out of a project's lock, so that every layer is built; return the lock."""
    path = project / LOCK_NAME
    lock = lockfiles.read(path)
    lock = lock.sealed(dict.fromkeys(lock.environments, ()))
    path.write_text(lockfiles.dumps(lock))
    return lock


def cache_of_inputs(lock: Lock, root: Path, *, link: bool = True) -> Path:
    """Make a cache at `root` that has what the lock names and no layer; return it.

    Its files are links to those of the shared cache unless that would not be seen from elsewhere.
    """
    shared, own = Cache(), Cache(root)
    hashes: list[str] = []
    for environment in lock.environments.values():
        hashes += [deb.sha256 for deb in environment.fetched_debs]
        hashes += [wheel.sha256 for wheel in environment.fetched_wheels]
        if isinstance(environment.python, StandalonePython):
            hashes.append(environment.python.sha256)
    for sha256 in hashes:
        target = own.path(sha256)
        if (found := shared.find(sha256)) is not None and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            if link:
                target.symlink_to(found)
            else:
                shutil.copyfile(found, target)
    return root


def cogn(
    *arguments: str | Path,
    cache: Path,
    wrapper: Sequence[str] = (),
    umask: int = 0o022,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own; return how it ended."""
    return subprocess.run(
        [*wrapper, *COGN, *map(str, arguments)],
        env=os.environ | {"COGN_CACHE": str(cache)} | environment,
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )


def digest_of(ended: subprocess.CompletedProcess[str]) -> str:
    """Return the one line of a successful `cogn assemble`."""
    assert ended.returncode == 0, ended.stderr
    (digest,) = ended.stdout.splitlines()
    return digest
