"""Direct references: a requirement that says where its package is, with a URL or a path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from urllib.request import url2pathname

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from cogn.report import Where
from cogn.resolver.errors import RequirementsError
from cogn.resolver.requirements.lines import has_password
from cogn.resolver.requirements.options import password_error
from cogn.store.found import subdirectory_in
from cogn.store.origins import masked
from cogn.store.references import GitReference

__all__ = ["DirectReference", "is_direct", "read_reference"]

_ARCHIVES = (".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar")
_NAMED = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?P<extras>\[[^\]]*\])?\s*@\s*"
    r"(?P<place>[^\s;]\S*?)(?:(?:\s+;\s*|;\s+)(?P<marker>.+))?"
)
_BARE = re.compile(
    r"(?P<place>[^\s\[]+(?:\.whl|\.zip|\.tgz|\.tar(?:\.\w+)?)|[^\s;\[]+)"
    r"(?P<fragment>#\S*)?(?P<extras>\[[^\]]*\])?(?:\s*;\s*(?P<marker>.+))?"
)
_PLACED = re.compile(r"[./~]|[\w+.-]+:|[^;]*[/\\]|\S+\.(whl|zip|tgz|tar\.\w+)$", re.IGNORECASE)
"""How paths and URLs look that pip takes for a requirement."""
_DIRECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[^\]]*\])?\s*@")
_OTHER_VCS = re.compile(r"(hg|svn|bzr)\+", re.IGNORECASE)
_BUILD_HINT = (
    "write `build_sdists = true` in cogn.toml, which runs its build script on this machine; or "
    "build a wheel of it and refer to that"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectReference:
    """A package and the place that a requirement names for it."""

    name: str
    """Normalised."""
    line: str
    """The requirement (PEP 508), whose path, if it has one, is relative to the project."""
    place: str
    """The URL or the path, relative to the project."""
    sha256: str | None = None
    """What the place has to give, where its URL says so."""
    path: str | None = None
    """The path, if the place is one."""
    is_source: bool = False
    """Whether a wheel has to be built of it."""


def is_direct(text: str) -> bool:
    """Tell whether a requirement is a direct reference, or looks as if it was to be one."""
    return bool(_DIRECT.match(text) or _PLACED.match(text))


def read_reference(
    text: str, where: Where, *, project: Path, near: Path, build_sdists: bool
) -> DirectReference:
    """Return the reference that `text` is, of a file in the directory `near` of the `project`.

    Raises `RequirementsError` for what is no file or commit that can be pinned, and, unless
    `build_sdists`, for what has to be built.
    """
    match = _NAMED.fullmatch(text) or _BARE.fullmatch(text)
    if match is None:
        raise RequirementsError(f"`{masked(text)}` is not a requirement", where=where)
    groups = match.groupdict()
    place = groups["place"] + (groups.get("fragment") or "")
    if has_password(place):
        raise password_error(where)
    if _OTHER_VCS.match(place):
        raise RequirementsError(
            f"`{masked(place)}`: of version control, Git alone is supported",
            where=where,
            hint="build a wheel of it and refer to that",
        )
    reader = _Reader(groups.get("name"), where, project, near)
    named = reader.git(place) if place.startswith("git+") else reader.file(place)
    if named.is_source and not build_sdists:
        raise RequirementsError(
            f"`{named.name}` comes as source and has to be built", where=where, hint=_BUILD_HINT
        )
    marker = f" ; {groups['marker']}" if groups.get("marker") else ""
    line = f"{groups.get('name') or named.name}{groups['extras'] or ''} @ {named.line}{marker}"
    return DirectReference(
        name=named.name,
        line=line,
        place=named.place,
        sha256=named.sha256,
        path=named.path,
        is_source=named.is_source,
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the place of a reference; the `line` of what it returns is the place for uv."""

    name: str | None
    where: Where
    project: Path
    near: Path

    def git(self, place: str) -> DirectReference:
        reference = GitReference.parse(place)
        shown = masked(place)
        if reference is None or (name := self.name or reference.egg) is None:
            raise self._error(
                f"`{shown}` does not say which package it is", f"write `NAME @ {shown}`"
            )
        if reference.commit is None:
            raise self._error(
                f"`{shown}` names no commit, so that it could be another one tomorrow",
                "end the URL with `@` and the commit in full, 40 digits; "
                "`git ls-remote` tells which one a branch or a tag is",
            )
        plain = f"git+{reference.url}@{reference.commit}"
        if reference.subdirectory is not None:
            plain += f"#subdirectory={reference.subdirectory}"
        return DirectReference(
            name=canonicalize_name(name), line=plain, place=plain, is_source=True
        )

    def file(self, place: str) -> DirectReference:
        base, _, fragment = place.partition("#")
        sha256 = self._sha256(fragment)
        if base.startswith(("https://", "http://")):
            path, kept = None, base
            file = unquote(urlsplit(base).path.rpartition("/")[2])
        elif "://" in base and not base.startswith("file:"):
            raise self._error(f"`{masked(base)}` is not a URL that can be fetched", None)
        else:
            path = self._path(base)
            kept, file = f"./{path}", path.rpartition("/")[2]
        is_wheel = file.endswith(".whl")
        if not is_wheel and not file.endswith(_ARCHIVES):
            raise self._error(
                f"`{masked(place)}` is neither a wheel nor an archive",
                "name a file, such as `*.whl`",
            )
        egg = parse_qs(fragment).get("egg", [None])[0]
        name = self.name or egg or self._name_of(file)
        subdirectory = subdirectory_in(fragment)
        if path is not None and subdirectory is not None:
            raise self._error(
                f"`{place}`: uv builds no directory of an archive on this disk",
                "make an archive of that directory alone, or a wheel",
            )
        uvs = kept if subdirectory is None else f"{kept}#subdirectory={subdirectory}"
        return DirectReference(
            name=canonicalize_name(name),
            line=uvs,
            place=uvs,
            sha256=sha256,
            path=path,
            is_source=not is_wheel,
        )

    def _path(self, text: str) -> str:
        """Return the path of a file, relative to the project."""
        named = Path(url2pathname(urlsplit(text).path)) if text.startswith("file:") else Path(text)
        candidates = [(base / named).resolve() for base in (self.project, self.near)]
        path = next((each for each in candidates if each.exists()), candidates[0])
        if "\\" in text or text.startswith("~") or not path.is_relative_to(self.project):
            raise self._error(
                f"`{text}` is outside the project's directory",
                "put the file into the project, or name its directory as `find-links` in a "
                "`uv.toml` beside cog.yaml and write its name here",
            )
        if path.is_dir():
            raise self._error(
                f"`{text}` is a directory, whose content no hash pins",
                "build a wheel of it and write its path, or keep the code in the project's "
                "directory, from where the model imports it as it is",
            )
        if not path.is_file():
            raise self._error(f"there is no file `{text}`", None)
        return path.relative_to(self.project).as_posix()

    def _name_of(self, file: str) -> str:
        try:
            if file.endswith(".whl"):
                return parse_wheel_filename(file)[0]
            return parse_sdist_filename(file)[0]
        except (InvalidWheelFilename, InvalidSdistFilename):
            raise self._error(
                f"`{file}` does not say which package it is", "write `NAME @` before it"
            ) from None

    def _sha256(self, fragment: str) -> str | None:
        values = parse_qs(fragment).get("sha256")
        if values and not re.fullmatch(r"[0-9a-f]{64}", values[0]):
            raise self._error(f"`{values[0]}` is not a SHA-256 hash", None)
        return values[0] if values else None

    def _error(self, message: str, hint: str | None) -> RequirementsError:
        return RequirementsError(message, where=self.where, hint=hint)
