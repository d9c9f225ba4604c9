"""Asking uv for wheels: which ones a set of requirements needs, and where a wheel is.

uv runs as a program and writes a ``pylock.toml`` (PEP 751), which `packaging` reads. It is told the
platform and the Python that the image will have, so this machine's do not matter; which indexes it
asks is the user's own configuration, a ``uv.toml`` in the project's directory included.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import anyio
from packaging.markers import Environment
from packaging.pylock import (
    Package,
    PackageWheel,
    Pylock,
    PylockSelectError,
    PylockValidationError,
)
from packaging.tags import Tag, compatible_tags, cpython_tags
from uv import find_uv_bin

from cogn.report import Reporter
from cogn.store.errors import UvError

__all__ = ["FoundWheel", "Target", "Uv", "failure", "uv_program"]

_NEWEST_MANYLINUX = 40
"""The newest glibc, 2.40, that uv has a platform for; the image's own may be newer."""
_MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
_OLDEST_MANYLINUX = {"x86_64": 5, "aarch64": 17}
_LEGACY_MANYLINUX = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}
_BUILD_HINT = (
    "cogn runs no build scripts: build a wheel of it elsewhere and name its directory in "
    "`find-links` of a `uv.toml` beside cog.yaml"
)
_PREFERENCES = 'lock-version = "1.0"\ncreated-by = "cogn"\n'


@dataclass(frozen=True)
class Target:
    """The environment that wheels are chosen for: CPython on Linux with glibc."""

    python: str
    """The minor version, such as ``3.13``."""
    platform: str
    """In OCI's terms: ``linux/amd64`` or ``linux/arm64``."""

    @property
    def uv_platform(self) -> str:
        """The target's name as ``uv --python-platform`` knows it."""
        return f"{self._machine}-manylinux_2_{_NEWEST_MANYLINUX}"

    @cached_property
    def environment(self) -> Environment:
        """The values of the environment markers (PEP 508)."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": self._machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
        }

    @cached_property
    def tags(self) -> tuple[Tag, ...]:
        """The wheel tags (PEP 425) that fit, the most specific first."""
        major, minor = map(int, self.python.split("."))
        abi = f"cp{major}{minor}"
        platforms = tuple(self._platform_tags())
        return (
            *cpython_tags((major, minor), [abi], platforms),
            *compatible_tags((major, minor), abi, platforms),
        )

    @property
    def _machine(self) -> str:
        return _MACHINES[self.platform]

    def _platform_tags(self) -> Iterator[str]:
        machine = self._machine
        for minor in range(_NEWEST_MANYLINUX, _OLDEST_MANYLINUX[machine] - 1, -1):
            yield f"manylinux_2_{minor}_{machine}"
            if legacy := _LEGACY_MANYLINUX.get(minor):
                yield f"{legacy}_{machine}"
        yield f"linux_{machine}"


@dataclass(frozen=True, slots=True)
class FoundWheel:
    """A wheel that uv found on an index or in a directory."""

    name: str
    version: str
    file: str
    sha256: str
    url: str
    """Where it is now: ``https:``, ``http:`` or ``file:``."""
    size: int | None
    """Bytes, when the index says so."""


class Uv:
    """uv, run in a project's directory with the user's configuration."""

    def __init__(self, directory: Path, reporter: Reporter | None = None) -> None:
        self._directory = directory
        self._reporter = reporter or Reporter()

    async def resolve(
        self,
        requirements: Sequence[str],
        target: Target,
        *,
        constraints: Sequence[str] = (),
        excludes: Sequence[str] = (),
        preferences: Mapping[str, str] | None = None,
    ) -> tuple[FoundWheel, ...]:
        """Return the wheels that `requirements` need, one of each package.

        Packages named in `excludes` are left out with what only they need; `preferences` maps
        names to the versions to keep where they still fit. Raises `UvError`, with uv's own reason,
        when there is no solution made of wheels for `target` or an index is out of reach.
        """
        if not requirements:
            return ()
        with self._reporter.task("Resolving", f"{len(requirements)} requirements"):
            lock = await self._compile(
                requirements,
                ["--python-version", target.python, "--python-platform", target.uv_platform],
                constraints=constraints,
                excludes=excludes,
                preferences=preferences,
            )
        try:
            selected = list(lock.select(environment=target.environment, tags=target.tags))
        except PylockSelectError as error:
            msg = f"uv's answer does not fit {target.platform} with Python {target.python}: {error}"
            raise UvError(msg) from error
        return tuple(_found(package, wheel) for package, wheel in selected)

    async def locate(self, pins: Mapping[str, str], target: Target) -> tuple[FoundWheel, ...]:
        """Return all wheels, for any platform, of these versions by name; raises `UvError`."""
        lock = await self._compile(
            [f"{name}=={version}" for name, version in pins.items()],
            ["--python-version", target.python, "--universal", "--no-deps"],
        )
        return tuple(
            _found(package, wheel) for package in lock.packages for wheel in package.wheels or ()
        )

    async def _compile(
        self,
        requirements: Sequence[str],
        options: Sequence[str],
        *,
        constraints: Sequence[str] = (),
        excludes: Sequence[str] = (),
        preferences: Mapping[str, str] | None = None,
    ) -> Pylock:
        with tempfile.TemporaryDirectory(prefix="cogn-") as name:
            directory = Path(name)
            output = directory / "pylock.toml"
            if preferences:  # uv prefers the versions of an output file that is already there
                output.write_text(_PREFERENCES + "".join(_preference_tables(preferences)))
            files = []
            for option, lines in (("--constraints", constraints), ("--excludes", excludes)):
                if lines:
                    file = directory / f"{option.strip('-')}.txt"
                    file.write_text("\n".join(lines) + "\n", "utf-8")
                    files += [option, str(file)]
            await self._run([*options, *files, "--output-file", str(output)], requirements)
            try:
                return Pylock.from_dict(tomllib.loads(output.read_text("utf-8")))
            except (OSError, ValueError, PylockValidationError) as error:
                msg = f"uv's answer cannot be read: {error}"
                raise UvError(msg) from error

    async def _run(self, options: Sequence[str], requirements: Sequence[str]) -> None:
        command = [
            *(uv_program(), "pip", "compile", "-", *options),
            *("--format", "pylock.toml", "--only-binary", ":all:"),
            # Any interpreter will do, as nothing is built; this one needs no search.
            *("--python", sys.executable, "--no-python-downloads"),
            *("--no-header", "--no-progress", "--color", "never"),
        ]
        try:
            # Not through a pipe, which breaks when uv ends before it has read all.
            with tempfile.TemporaryFile() as lines:
                lines.write("\n".join(requirements).encode())
                lines.seek(0)
                result = await anyio.run_process(
                    command,
                    stdin=lines,
                    cwd=self._directory,
                    env={**os.environ, "UV_NO_WRAP": "1"},
                    stdout=subprocess.DEVNULL,
                    check=False,
                )
        except OSError as error:
            msg = f"uv does not start: {error.strerror}"
            raise UvError(msg) from error
        said = result.stderr.decode(errors="replace")
        if result.returncode != 0:
            raise failure(said, result.returncode)
        for warning in re.findall(r"^warning: (.+)$", said, re.MULTILINE):
            self._reporter.warn(f"uv: {warning}")


def uv_program() -> str:
    """Return the path of the uv that came with cogn; raises `UvError` when it is not there."""
    try:
        return find_uv_bin()
    except FileNotFoundError as error:
        msg = "the `uv` program is not there"
        raise UvError(msg, hint="install cogn again, with its dependencies") from error


def _preference_tables(preferences: Mapping[str, str]) -> Iterator[str]:
    for name, version in preferences.items():
        yield f'[[packages]]\nname = "{name}"\nversion = "{version}"\n'


def _found(package: Package, wheel: object) -> FoundWheel:
    if not isinstance(wheel, PackageWheel) or wheel.url is None:
        msg = f"{package.name} has no wheel on an index"
        raise UvError(msg, hint=_BUILD_HINT)
    sha256 = wheel.hashes.get("sha256")
    if sha256 is None:
        msg = f"the index gives no SHA-256 hash for {wheel.filename}"
        raise UvError(msg, hint="download it and name its directory in uv's `find-links`")
    return FoundWheel(
        name=package.name,
        version=str(package.version),
        file=wheel.filename,
        sha256=sha256,
        url=wheel.url.partition("#")[0],
        size=wheel.size,
    )


def failure(said: str, returncode: int) -> UvError:
    """Return the error that carries uv's own words, its hints apart."""
    _, _, reason = f"\n{said.strip()}".partition("\nerror: ")
    paragraphs = re.split(r"\n+(?=hint: )", reason or said.strip())
    message = paragraphs[0] or f"it ended with status {returncode}"
    hints = [paragraph.removeprefix("hint: ").strip() for paragraph in paragraphs[1:]]
    hints = [_BUILD_HINT if "building from source" in hint else hint for hint in hints]
    return UvError(f"uv: {message}", hint="\n".join(hints) or None)
