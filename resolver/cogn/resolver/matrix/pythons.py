"""Builds of CPython that run on any distribution: the project python-build-standalone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import StringConstraints

from cogn.lockfiles import Platform
from cogn.resolver.matrix.words import Row, numbers

__all__ = ["PythonBuild", "newest_build", "python_builds"]

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

_TRIPLES: Mapping[Platform, str] = {
    "linux/amd64": "x86_64-unknown-linux-gnu",
    "linux/arm64": "aarch64-unknown-linux-gnu",
}


class PythonBuild(Row):
    """A build of one version, for one or several platforms."""

    version: Annotated[str, StringConstraints(pattern=r"^3\.\d+\.\d+$")]
    release: Annotated[str, StringConstraints(pattern=r"^\d{8}$")]
    """The project's release, which is a day."""
    kind: Literal["install_only", "install_only_stripped"] = "install_only_stripped"
    """The archive's form. Before 2024 there were none without debugging symbols."""
    sha256: dict[Platform, Sha256]
    """The archive's digest by platform."""

    def file(self, platform: Platform) -> str:
        """Return the archive's file name."""
        return f"cpython-{self.version}+{self.release}-{_TRIPLES[platform]}-{self.kind}.tar.gz"


def python_builds(value: object) -> object:
    """Return the rows of the file, which have digests by architecture, as builds."""
    if not isinstance(value, Mapping):
        return value
    return [_build(version, dict(row)) for version, row in value.items()]


def _build(version: str, row: dict[str, object]) -> dict[str, object]:
    architectures = {platform.rpartition("/")[2]: platform for platform in _TRIPLES}
    digests = {architectures[key]: row.pop(key) for key in architectures if key in row}
    return {"version": version, "sha256": digests} | row


def newest_build(
    builds: tuple[PythonBuild, ...], wanted: str, platform: Platform
) -> PythonBuild | None:
    """Return the newest build of ``3.12`` or ``3.12.11`` for a platform, None without one."""
    asked = numbers(wanted)
    return max(
        (
            build
            for build in builds
            if platform in build.sha256 and numbers(build.version)[: len(asked)] == asked
        ),
        key=lambda build: (numbers(build.version), build.release),
        default=None,
    )
