"""pip's options in a requirements file: what uv is to be told, and what cogn refuses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from packaging.utils import canonicalize_name

from cogn.report import Where
from cogn.resolver.errors import RequirementsError
from cogn.resolver.requirements.lines import has_password
from cogn.store.origins import masked, variables

__all__ = ["NESTED", "Options", "password_error", "split_option"]

NESTED = frozenset({"-c", "-r"})
"""The options that name another file."""

_SHORT = {
    "--constraint": "-c",
    "--editable": "-e",
    "--requirement": "-r",
    "--pypi-url": "--index-url",
    "-f": "--find-links",
    "-i": "--index-url",
}
_WITHOUT_EFFECT = frozenset({"--prefer-binary", "--use-feature"})
_OPTION = re.compile(r"(?P<name>--[a-z][a-z-]*|-[a-z])(?:\s*=\s*|\s*)(?P<value>.*)")
_WITH_VALUE = frozenset(
    {"--index-url", "--extra-index-url", "--find-links", "--trusted-host"}
    | {"--only-binary", "--no-binary"}
)


def split_option(line: str) -> tuple[str, str]:
    """Return the name of the option that a line is, in one of its spellings, and its value."""
    match = _OPTION.fullmatch(line)
    if match is None:
        return line, ""
    return _SHORT.get(match["name"], match["name"]), match["value"].strip("\"'")


def password_error(where: Where) -> RequirementsError:
    """Return the error about a URL with a password in it."""
    return RequirementsError(
        "the URL has a password in it, and this file goes into the image",
        where=where,
        hint="write `${NAME}` for it, which is taken from the environment; or keep it in a netrc "
        "file, in `uv auth`, or in `UV_INDEX_...` variables",
    )


@dataclass(slots=True)
class Options:
    """Collects what the options of a project's requirements files say.

    `project` is the directory that paths are relative to and must not leave.
    """

    project: Path
    index: str | None = None
    extra: list[str] = field(default_factory=list)
    find_links: list[str] = field(default_factory=list)
    no_index: bool = False
    prerelease: bool = False
    require_hashes: bool = False
    insecure_hosts: list[str] = field(default_factory=list)
    no_binary: set[str] = field(default_factory=set)
    only_binary: set[str] = field(default_factory=set)

    @property
    def lines(self) -> tuple[str, ...]:
        """The options that uv is given as lines of a requirements file."""
        lines = ["--no-index"] if self.no_index else []
        if self.index is not None and not self.no_index:
            lines.append(f"--index-url {self.index}")
        if not self.no_index:
            lines += [f"--extra-index-url {url}" for url in dict.fromkeys(self.extra)]
        lines += [f"--find-links {place}" for place in dict.fromkeys(self.find_links)]
        return tuple(lines)

    def take(self, line: str, near: Path, where: Where) -> None:
        """Take a line that is an option, of a file in the directory `near`.

        Raises `RequirementsError` for what cogn refuses or does not know.
        """
        name, value = split_option(line)
        shown = masked(line)
        if has_password(value):
            raise password_error(where)
        if name in _WITH_VALUE and not value:
            raise RequirementsError(f"`{shown}` lacks its value", where=where)
        match name:
            case "-e":
                raise RequirementsError(
                    "`-e`: no hash pins what an editable install holds",
                    where=where,
                    hint="build a wheel of it and write its path, or keep the code in the "
                    "project's directory, from where the model imports it as it is",
                )
            case "--index-url":
                self.index = self._url(value, where)
            case "--extra-index-url":
                self.extra.append(self._url(value, where))
            case "--find-links":
                self.find_links.append(self._place(value, near, where))
            case "--trusted-host":
                self.insecure_hosts.append(value)
            case "--no-index":
                self.no_index = True
            case "--pre":
                self.prerelease = True
            case "--require-hashes":
                self.require_hashes = True
            case "--no-binary":
                self._formats(value, self.no_binary, self.only_binary, where)
            case "--only-binary":
                self._formats(value, self.only_binary, self.no_binary, where)
            case _ if name not in _WITHOUT_EFFECT:
                raise RequirementsError(f"`{shown}` is not an option that cogn knows", where=where)

    def _url(self, value: str, where: Where) -> str:
        if _is_url(value):
            return value
        raise RequirementsError(
            f"`{value}` is not an https or http URL",
            where=where,
            hint="name a directory of packages with `--find-links`",
        )

    def _place(self, value: str, near: Path, where: Where) -> str:
        """Return the URL or the path, relative to the project, of a place with packages."""
        if _is_url(value):
            return value
        named = Path(url2pathname(urlsplit(value).path)) if value.startswith("file:") else value
        # As pip does: beside the file if it is there, else where the project is.
        path = next(
            (
                found
                for base in (near, self.project)
                if (found := (base / named).resolve()).exists()
            ),
            None,
        )
        if path is None:
            raise RequirementsError(f"there is no `{value}`", where=where)
        if not path.is_relative_to(self.project):
            raise RequirementsError(
                f"`{value}` is outside the project's directory",
                where=where,
                hint="name it as `find-links` in a `uv.toml` beside cog.yaml",
            )
        return f"./{path.relative_to(self.project).as_posix()}"

    def _formats(self, value: str, here: set[str], there: set[str], where: Where) -> None:
        """Note packages of which sources, or wheels, alone are taken; the last word counts."""
        for name in filter(None, re.split(r"[\s,]+", value)):
            if name == ":none:":
                here.clear()
            elif name == ":all:":
                if here is self.no_binary:
                    raise RequirementsError(
                        "`--no-binary :all:`: cogn does not build every package from source",
                        where=where,
                        hint="name those that have to be built",
                    )
                there.clear()
                here.add(name)
            else:
                there.discard(canonicalize_name(name))
                here.add(canonicalize_name(name))


def _is_url(value: str) -> bool:
    """Tell whether a value is a URL, or may turn out to be one; raises `ValueError`."""
    if next(variables(value), None):
        return True
    return value.startswith(("https://", "http://")) and bool(urlsplit(value).hostname)
