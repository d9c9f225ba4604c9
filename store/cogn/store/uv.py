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
from pathlib import Path

import anyio
from packaging.pylock import Pylock, PylockSelectError, PylockValidationError
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from uv import find_uv_bin

from cogn.report import ProblemsError, Reporter
from cogn.store.errors import SourceOnlyError, UvError
from cogn.store.found import Found, FoundSource, FoundWheel, found, wheels_of
from cogn.store.logins import Logins
from cogn.store.origins import Origins, expand, masked
from cogn.store.targets import Target

__all__ = [
    "BUILD_HINT",
    "Builds",
    "FoundWheel",
    "Target",
    "Uv",
    "failure",
    "fits",
    "select",
    "uv_program",
]

_SOURCE_ONLY = re.compile(r"Wheels are required for `([^`]+)` because building from source")
BUILD_HINT = (
    "require a version of it that has wheels; or build a wheel of it and name its directory with "
    "`--find-links` in the requirements; or write `build_sdists = true` in cogn.toml, which runs "
    "its build script on this machine"
)
_VARIABLES = {
    "--extra-index-url": "UV_EXTRA_INDEX_URL",
    "--find-links": "UV_FIND_LINKS",
    "--index-url": "UV_INDEX_URL",
    "--no-index": "UV_NO_INDEX",
}
_PREFERENCES = 'lock-version = "1.0"\ncreated-by = "cogn"\n'


@dataclass(frozen=True, slots=True)
class Builds:
    """Which packages may be built from source: none, unless it says so."""

    allowed: bool = False
    """Whether those may that have no wheels."""
    forced: frozenset[str] = frozenset()
    """Those that have to be, whatever wheels there are, by name."""
    never: frozenset[str] = frozenset()
    """Those that must not be."""


class Uv:
    """uv, run in a project's directory with the user's configuration."""

    def __init__(
        self,
        directory: Path,
        reporter: Reporter | None = None,
        *,
        origins: Origins | None = None,
        exclude_newer: str | None = None,
    ) -> None:
        """Say where packages come from besides the configuration, and before when they were there.

        `exclude_newer` is a moment as RFC 3339 writes it; packages that came later do not count.
        """
        self.directory = directory
        self.origins = origins or Origins()
        self.logins = Logins(directory, self.origins)
        self._reporter = reporter or Reporter()
        self._exclude_newer = exclude_newer

    async def resolve(
        self,
        requirements: Sequence[str],
        target: Target,
        *,
        constraints: Sequence[str] = (),
        excludes: Sequence[str] = (),
        preferences: Mapping[str, str] | None = None,
        torch_backend: str | None = None,
    ) -> tuple[FoundWheel, ...]:
        """Return the wheels that `requirements` need, one of each package.

        Packages named in `excludes` are left out with what only they need; `preferences` maps
        names to the versions to keep where they still fit. `torch_backend` names the index of
        PyTorch that its packages come from. Raises `UvError`, with uv's own reason, when there is
        no solution made of wheels for `target` or an index is out of reach.
        """
        every = await self.resolve_with_sources(
            requirements,
            target,
            builds=Builds(),
            constraints=constraints,
            excludes=excludes,
            preferences=preferences,
            torch_backend=torch_backend,
        )
        return tuple(each for each in every if isinstance(each, FoundWheel))

    async def resolve_with_sources(
        self,
        requirements: Sequence[str],
        target: Target,
        *,
        builds: Builds,
        constraints: Sequence[str] = (),
        excludes: Sequence[str] = (),
        preferences: Mapping[str, str] | None = None,
        torch_backend: str | None = None,
    ) -> tuple[Found, ...]:
        """Return what `requirements` need: wheels, and sources as far as `builds` allows.

        Only packages without any wheel that fits are to be built, besides those that have to be.
        uv may run their build scripts, to learn what they need. Raises as `resolve` does.
        """
        if not requirements:
            return ()
        built = builds.forced
        with self._reporter.task("Resolving", f"{len(requirements)} requirements"):
            while True:
                try:
                    lock, directory = await self._compile(
                        [*(f"--no-binary {name}" for name in sorted(built)), *requirements],
                        [
                            *("--python-version", target.python),
                            *("--python-platform", target.uv_platform),
                            *_torch(torch_backend),
                        ],
                        constraints=constraints,
                        excludes=excludes,
                        preferences=preferences,
                    )
                    break
                except SourceOnlyError as error:
                    without = frozenset(error.packages) - built - builds.never
                    if not builds.allowed or not without:
                        raise
                    built |= without
        return select(lock, directory, target, built=built)

    async def locate(
        self, pins: Mapping[str, str], target: Target, *, torch_backend: str | None = None
    ) -> tuple[FoundWheel, ...]:
        """Return all wheels, for any platform, of these versions by name; raises `UvError`."""
        lock, directory = await self._compile(
            [f"{name}=={version}" for name, version in pins.items()],
            [
                *("--python-version", target.python, "--universal", "--no-deps"),
                *_torch(torch_backend),
            ],
        )
        return wheels_of(lock.packages, directory)

    async def locate_source(self, name: str, version: str, target: Target) -> FoundSource:
        """Return the source archive of a version of a package; raises `UvError`."""
        lock, directory = await self._compile(
            [f"--no-binary {name}", f"{name}=={version}"],
            ["--python-version", target.python, "--universal", "--no-deps"],
        )
        for package in lock.packages:
            source = found(package, package.sdist, directory)
            if isinstance(source, FoundSource):
                return source
        raise UvError(f"{name} {version} has no source archive")

    async def run(self, arguments: Sequence[str], lines: Sequence[str] = (), **changes: str) -> str:
        """Run uv in the project's directory; return what it says, as `attempt` does.

        Raises `UvError` when it fails.
        """
        status, said = await self.attempt(arguments, lines, **changes)
        if status != 0:
            raise failure(said, status)
        return said

    async def attempt(
        self, arguments: Sequence[str], lines: Sequence[str] = (), **changes: str
    ) -> tuple[int, str]:
        """Run uv in the project's directory; return its exit status and what it says on stderr.

        `lines` are its stdin, `changes` those of its environment. What it says is fit to be shown.
        Raises `UvError` when it does not start.
        """
        secrets = self.origins.secrets()
        command = [uv_program(), *arguments, "--no-progress", "--color", "never"]
        try:
            # Not through a pipe, which breaks when uv ends before it has read all.
            with tempfile.TemporaryFile() as stdin:
                stdin.write("\n".join(lines).encode())
                stdin.seek(0)
                result = await anyio.run_process(
                    command,
                    stdin=stdin,
                    cwd=self.directory,
                    env={**os.environ, "UV_NO_WRAP": "1", **changes},
                    stdout=subprocess.DEVNULL,
                    check=False,
                )
        except OSError as error:
            msg = f"uv does not start: {error.strerror}"
            raise UvError(msg) from error
        return result.returncode, masked(result.stderr.decode(errors="replace"), secrets)

    async def _compile(
        self,
        requirements: Sequence[str],
        options: Sequence[str],
        *,
        constraints: Sequence[str] = (),
        excludes: Sequence[str] = (),
        preferences: Mapping[str, str] | None = None,
    ) -> tuple[Pylock, Path]:
        """Return uv's answer, and the directory that paths in it are relative to."""
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
            said = await self.run(
                [
                    *("pip", "compile", "-", *options, *files, "--output-file", str(output)),
                    *("--format", "pylock.toml", "--only-binary", ":all:", "--no-header"),
                    # Any interpreter will do, as only metadata is asked of what is built; this one
                    # needs no search.
                    *("--python", sys.executable, "--no-python-downloads"),
                    *self.index_options(),
                ],
                [*self.origins.options, *requirements],
            )
            for warning in re.findall(r"^warning: (.+)$", said, re.MULTILINE):
                self._reporter.warn(f"uv: {warning}")
            try:
                return Pylock.from_dict(tomllib.loads(output.read_text("utf-8"))), directory
            except (OSError, ValueError, PylockValidationError) as error:
                msg = f"uv's answer cannot be read: {error}"
                raise UvError(msg) from error

    def index_variables(self) -> dict[str, str]:
        """Return the environment that tells uv, where it reads no requirements, of indexes."""
        by_option: dict[str, list[str]] = {}
        for line in self.origins.options:
            option, _, value = line.partition(" ")
            place = expand(value)
            if option == "--find-links" and "://" not in place:
                place = str(self.directory / place)
            by_option.setdefault(_VARIABLES[option], []).append(place or "1")
        return {
            name: ("," if name == "UV_FIND_LINKS" else " ").join(values)
            for name, values in by_option.items()
        }

    def index_options(self) -> Iterator[str]:
        """Yield the options that uv takes from its command line alone."""
        if self.origins.prerelease:
            yield from ("--prerelease", "allow")
        if self._exclude_newer:
            yield from ("--exclude-newer", self._exclude_newer)
        for host in self.origins.insecure_hosts:
            yield from ("--allow-insecure-host", host)


def select(
    lock: Pylock, directory: Path, target: Target, *, built: frozenset[str] = frozenset()
) -> tuple[Found, ...]:
    """Return what a lock file (PEP 751) that lies in `directory` has for `target`.

    Of the packages in `built` it is their source. Raises `UvError` when it does not fit.
    """
    try:
        selected = list(lock.select(environment=target.environment, tags=target.tags))
    except PylockSelectError as error:
        msg = f"the packages do not fit {target.platform} with Python {target.python}: {error}"
        raise UvError(msg) from error
    every = tuple(
        found(package, (package.name in built and package.sdist) or chosen, directory)
        for package, chosen in selected
    )
    problems = [
        UvError(f"{each.file} does not fit {target.platform} with Python {target.python}")
        for each in every
        if isinstance(each, FoundWheel) and not fits(each.file, target)
    ]
    ProblemsError.raise_if_any(problems)
    return every


def fits(file: str, target: Target) -> bool:
    """Tell whether the wheel of that name is made for `target`."""
    try:
        return not parse_wheel_filename(file)[3].isdisjoint(target.tags)
    except InvalidWheelFilename:
        return False


def _torch(backend: str | None) -> tuple[str, ...]:
    return () if backend is None else ("--torch-backend", backend)


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


def failure(said: str, returncode: int) -> UvError:
    """Return the error that carries uv's own words, its hints apart."""
    _, _, reason = f"\n{said.strip()}".partition("\nerror: ")
    paragraphs = re.split(r"\n+(?=hint: )", reason or said.strip())
    message = paragraphs[0] or f"it ended with status {returncode}"
    hints = [paragraph.removeprefix("hint: ").strip() for paragraph in paragraphs[1:]]
    if names := tuple(_SOURCE_ONLY.findall(said)):
        listed = ", ".join(f"`{name}`" for name in names)
        _, _, cause = message.partition("\n")
        text = f"no wheel fits of {listed}, only sources, which are not built\n{cause}".rstrip()
        return SourceOnlyError(text, hint=BUILD_HINT, packages=names)
    return UvError(f"uv: {message}", hint="\n".join(hints) or None)
