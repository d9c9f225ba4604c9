"""Running images with podman, without systemd and without limits that a CI machine may not set."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

_PODMAN = ("podman", "--runtime", "runc")
_RUN = (
    *("run", "--rm", "--network=host"),
    *("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"),
)


def podman(*arguments: str) -> str:
    """Run a podman command; return what it prints."""
    result = subprocess.run([*_PODMAN, *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def run_in(image: str, *command: str, options: tuple[str, ...] = ()) -> str:
    """Run a command in a new container instead of its server; return what it prints."""
    entrypoint, *rest = command
    return podman(*_RUN, *options, "--entrypoint", entrypoint, image, *rest)


@contextmanager
def running_container(image: str, *options: str) -> Iterator[str]:
    """Run a container in the background; give its name."""
    name = f"cogn-test-{uuid4().hex[:12]}"
    podman(*_RUN, "--detach", "--name", name, *options, image)
    try:
        yield name
    finally:
        subprocess.run(
            [*_PODMAN, "rm", "--force", "--time", "5", name], capture_output=True, check=False
        )
