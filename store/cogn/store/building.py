"""Building wheels from source, by uv and apart from everything: only where a project allows it.

A build runs code of the package on this machine. What can be held still is: the date, the locale,
the mode of files, the seed of hashes. The outcome is pinned by its hash.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from cogn.report import Reporter
from cogn.store.errors import BuildError, UvError
from cogn.store.found import FoundSource
from cogn.store.git import check_out
from cogn.store.http import Fetcher
from cogn.store.pythons import installed_python
from cogn.store.targets import Target
from cogn.store.transfer import fetch_file
from cogn.store.uv import Uv, failure

__all__ = ["BuiltWheel", "build_wheel"]

_NOTES = "built"
_STILL = {
    "LC_ALL": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "SOURCE_DATE_EPOCH": "315619200",  # as of files in layers: archives have no date before 1980
    "TZ": "UTC",
}
_SHOWN = 30


class BuiltWheel(msgspec.Struct, frozen=True):
    """A wheel that was built here, and is in the cache."""

    name: str
    version: str
    file: str
    sha256: str
    size: int


async def build_wheel(
    source: FoundSource, target: Target, *, uv: Uv, fetcher: Fetcher, reporter: Reporter
) -> BuiltWheel:
    """Return the wheel of a source for `target`, built unless the cache has it from before.

    Says aloud that it builds. Raises `BuildError`, `DownloadError` and `UvError`.
    """
    cache, key = fetcher.cache, _key(source, target)
    note = cache.note(_NOTES, key)
    try:
        known = msgspec.json.decode(note, type=BuiltWheel) if note else None
    except msgspec.DecodeError:
        known = None
    if known and cache.find(known.sha256):
        return known
    reporter.note(f"Building {source}: this runs code of the package on this machine")
    is_right, python = await anyio.to_thread.run_sync(_python, target)
    with (
        tempfile.TemporaryDirectory(prefix="cogn-") as name,
        reporter.task("Building", str(source)),
    ):
        directory = Path(name)
        tree = await _source_tree(source, directory, uv, fetcher)
        file = await _built(tree, directory / "wheels", source, python, uv)
        _check(file, source, target, is_right=is_right, reporter=reporter)
        wheel = await anyio.to_thread.run_sync(_kept, file, fetcher)
    cache.set_note(_NOTES, key, wheel)
    return wheel


def _key(source: FoundSource, target: Target) -> str:
    what = (source.name, source.sha256, source.commit, source.subdirectory)
    return hashlib.sha256(repr((*what, target.python, target.platform)).encode()).hexdigest()


async def _source_tree(source: FoundSource, directory: Path, uv: Uv, fetcher: Fetcher) -> Path:
    """Return what uv is to build: the archive under its own name, or a checked out commit."""
    if source.commit is not None:
        fetcher.require_network(str(source))
        checkout = directory / "source"
        await check_out(source, checkout, secrets=uv.origins.secrets())
        tree = (checkout / (source.subdirectory or "")).resolve()
        if not (tree.is_relative_to(checkout.resolve()) and tree.is_dir()):
            raise BuildError(f"{source} has no directory `{source.subdirectory}`")
        return tree
    if source.file is None or source.sha256 is None:
        raise BuildError(f"{source.name}: there is no archive of its source")
    blob = await fetch_file(
        uv.logins.add(source.url), sha256=source.sha256, name=source.file, fetcher=fetcher
    )
    archive = directory / source.file
    await anyio.to_thread.run_sync(shutil.copyfile, blob, archive)
    if source.subdirectory is None:
        return archive
    return await anyio.to_thread.run_sync(_unpacked, archive, source, directory / "source")


def _unpacked(archive: Path, source: FoundSource, directory: Path) -> Path:
    """Return the directory of an archive that holds the package."""
    try:
        if archive.suffix == ".zip":
            shutil.unpack_archive(archive, directory)
        else:
            shutil.unpack_archive(archive, directory, filter="data")
        (root,) = directory.iterdir()
        tree = (root / (source.subdirectory or "")).resolve(strict=True)
        if not tree.is_relative_to(root.resolve()):
            raise ValueError(source.subdirectory)
    except (OSError, ValueError, tarfile.TarError) as error:
        raise BuildError(f"{source} has no directory `{source.subdirectory}`") from error
    return tree


async def _built(tree: Path, out: Path, source: FoundSource, python: str, uv: Uv) -> Path:
    """Have uv build the wheel with the interpreter `python`; return its file."""
    arguments = [
        *("build", "--wheel", "--out-dir", str(out), "--no-create-gitignore"),
        *("--python", python, "--no-python-downloads", *uv.index_options(), str(tree)),
    ]
    status, said = await uv.attempt(arguments, **_STILL, **uv.index_variables())
    if status != 0:
        error = failure(said, status)
        log = said.strip().partition("\nerror: ")[0].splitlines()
        text = "\n".join([error.message, *(f"  {line}" for line in log[-_SHOWN:])])
        raise BuildError(f"{source} cannot be built\n{text}", hint=error.hint)
    files = sorted(out.glob("*.whl"))  # noqa: ASYNC240 - of a directory with one entry
    if len(files) != 1:
        raise BuildError(f"{source} came out as {len(files)} wheels, not as one")
    return files[0]


def _python(target: Target) -> tuple[bool, str]:
    """Return an interpreter to build with, and whether it is of the target's version.

    Any one will do for what is made for all of them, so none is downloaded for that.
    """
    try:
        return True, str(installed_python(target.python))
    except UvError:
        return False, sys.executable


def _check(
    file: Path, source: FoundSource, target: Target, *, is_right: bool, reporter: Reporter
) -> None:
    """Raise `BuildError` unless the wheel is what was asked for, and fits `target`."""
    try:
        name, _, _, tags = parse_wheel_filename(file.name)
    except InvalidWheelFilename as error:
        raise BuildError(f"{source} came out as no wheel: {error}") from error
    if name != canonicalize_name(source.name):
        raise BuildError(f"{source} came out as {name}, not as {source.name}")
    if tags.isdisjoint(target.tags):
        raise BuildError(
            f"{file.name} does not fit {target.platform} with Python {target.python}",
            hint="lock on such a machine, or build the wheel there and require that",
        )
    platforms = {tag.platform for tag in tags}
    if platforms == {"any"} and {tag.abi for tag in tags} == {"none"}:
        return
    if not is_right:
        raise BuildError(
            f"{source} has to be built with Python {target.python}, which is not to be had here",
            hint=f"install it, with `uv python install {target.python}` for one",
        )
    if any(each.startswith("linux_") for each in platforms):
        reporter.warn(
            f"{file.name} was built for this machine",
            hint="it may need libraries that the image lacks; try the image before you rely on it",
        )


def _kept(file: Path, fetcher: Fetcher) -> BuiltWheel:
    """Put the wheel into the cache."""
    name, version, _, _ = parse_wheel_filename(file.name)
    with file.open("rb") as opened, fetcher.cache.blob(what=file.name) as blob:
        shutil.copyfileobj(opened, blob, 1 << 20)
    return BuiltWheel(name, str(version), file.name, blob.sha256, blob.size)
