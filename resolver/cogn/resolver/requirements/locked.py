"""Lock files of others as requirements: pylock.toml (PEP 751), and uv.lock by way of uv."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.pylock import Package, Pylock, PylockValidationError

from cogn.report import CognError, ProblemsError, Reporter, Where
from cogn.resolver.errors import RequirementsError
from cogn.resolver.requirements.lines import has_password
from cogn.resolver.requirements.model import LockedPackages, Requirements
from cogn.resolver.requirements.options import password_error
from cogn.resolver.requirements.reader import is_excluded
from cogn.resolver.textfile import read_text
from cogn.store.origins import Origins
from cogn.store.uv import Builds, failure, uv_program

__all__ = ["read_pylock", "read_uv_lock"]

_LARGEST = 16 << 20


def read_pylock(
    project: Path, name: str, where: Where, reporter: Reporter, *, build_sdists: bool
) -> Requirements:
    """Return the packages of the lock file `name` below the `project`.

    Raises `ProjectError` when it cannot be read, `RequirementsError` for what breaks PEP 751 or
    cannot be pinned, and `ProblemsError` for several.
    """
    text = read_text(project / name, where, limit=_LARGEST)
    return _read(text, project, (name,), reporter, build_sdists=build_sdists)


def read_uv_lock(
    project: Path, name: str, where: Where, reporter: Reporter, *, build_sdists: bool
) -> Requirements:
    """Return the packages that uv's own lock `name`, below the `project`, has for its project.

    Those are its dependencies without its groups. uv writes nothing for that. Raises as
    `read_pylock` does, and `UvError`.
    """
    read_text(project / name, where, limit=_LARGEST)  # which says why it cannot be read
    beside = (project / name).parent
    beside_name = (Path(name).parent / "pyproject.toml").as_posix()
    command = [
        *(uv_program(), "export", "--frozen", "--offline", "--format", "pylock.toml"),
        *("--no-default-groups", "--no-emit-workspace", "--no-header"),
        *("--no-python-downloads", "--no-progress", "--color", "never", "--project", str(beside)),
    ]
    ended = subprocess.run(command, cwd=project, capture_output=True, check=False)
    if ended.returncode != 0:
        error = failure(ended.stderr.decode(errors="replace"), ended.returncode)
        raise RequirementsError(error.message, where=Where(name), hint=error.hint)
    text = ended.stdout.decode()
    return _read(text, project, (name, beside_name), reporter, build_sdists=build_sdists)


def _read(
    text: str, project: Path, files: tuple[str, ...], reporter: Reporter, *, build_sdists: bool
) -> Requirements:
    name = files[0]
    directory = (project / name).parent
    try:
        content: dict[str, Any] = tomllib.loads(text)
        pylock = Pylock.from_dict(content)
    except (tomllib.TOMLDecodeError, PylockValidationError) as error:
        raise RequirementsError(f"not a lock file (PEP 751): {error}", where=Where(name)) from error
    problems: list[CognError] = []
    places: dict[str, str] = {}
    references: dict[str, tuple[str, ...]] = {}
    kept: list[Package] = []
    for package in pylock.packages:
        where = Where(name, key=package.name)
        if is_excluded(package.name, where, reporter):
            continue
        kept.append(package)
        problems += _faults(package, project, directory, where)
        if package.vcs is not None:
            place = f"git+{package.vcs.url}@{package.vcs.commit_id}"
            if package.vcs.subdirectory:
                place += f"#subdirectory={package.vcs.subdirectory}"
            references[package.name] = (*references.get(package.name, ()), place)
        for sha256, place in _places(package, project, directory):
            places[sha256] = place
    ProblemsError.raise_if_any(problems)
    left = {package.name for package in kept}
    entries = [entry for entry in content["packages"] if entry["name"] in left]
    return Requirements(
        files=files,
        origins=Origins(files=places, references=references),
        builds=Builds(allowed=build_sdists),
        locked=LockedPackages(
            Pylock.from_dict(content | {"packages": entries}), directory, entries
        ),
    )


def _artifacts(package: Package) -> Iterator[Any]:
    yield from package.wheels or ()
    yield from (each for each in (package.sdist, package.archive) if each is not None)


def _places(package: Package, project: Path, directory: Path) -> Iterator[tuple[str, str]]:
    """Yield the SHA-256 and the place of each file of a package."""
    for artifact in _artifacts(package):
        sha256 = artifact.hashes.get("sha256")
        if sha256 and artifact.url is not None:
            yield sha256, artifact.url
        elif sha256 and (path := (directory / artifact.path).resolve()).is_relative_to(project):
            yield sha256, path.relative_to(project).as_posix()


def _faults(package: Package, project: Path, directory: Path, where: Where) -> Iterator[CognError]:
    """Yield what keeps a package from being pinned."""
    if package.directory is not None:
        yield RequirementsError(
            f"`{package.name}` is a directory, whose content no hash pins",
            where=where,
            hint="build a wheel of it and depend on that",
        )
    if package.vcs is not None and (package.vcs.type != "git" or package.vcs.url is None):
        yield RequirementsError(
            f"`{package.name}` comes from version control other than the URL of a Git repository",
            where=where,
            hint="build a wheel of it and depend on that",
        )
    for artifact in _artifacts(package):
        if has_password(artifact.url or ""):
            yield password_error(where)
        if "sha256" not in artifact.hashes:
            yield RequirementsError(f"a file of `{package.name}` has no SHA-256 hash", where=where)
        if artifact.url is None and not (directory / artifact.path).resolve().is_relative_to(
            project
        ):
            yield RequirementsError(
                f"`{artifact.path}` is outside the project's directory", where=where
            )
