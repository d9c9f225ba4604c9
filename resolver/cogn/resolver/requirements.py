"""Requirements of a model: ``build.python_packages``, or a requirements file and those it names.

The files are pip's: comments, continued lines, ``-r``, ``-c`` and ``--hash``. What else pip allows
there either names a place, which is not a project's to say, or needs a build, and is refused by
line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from cogn.report import ProblemsError, Reporter, Where
from cogn.resolver.errors import ProjectError, RequirementsError, ResolveError
from cogn.resolver.textfile import read_text

__all__ = ["EXCLUDED", "Requirements", "list_requirements", "read_requirements"]

EXCLUDED = ("cog", "coglet", "cogn-runtime")
"""The packages that are never installed from an index, as the image has its own `cog`."""

_UV_HINT = "set {} in a `uv.toml` beside cog.yaml, or in your own configuration of uv"
_PLACE = "a lock names no places to get packages from"
_OPTIONS = {
    "-e": ("editable installs are not supported", "build a wheel of it"),
    "-f": (_PLACE, _UV_HINT.format("`find-links`")),
    "-i": (_PLACE, _UV_HINT.format("`index-url`")),
    "--extra-index-url": (_PLACE, _UV_HINT.format("`extra-index-url`")),
    "--no-binary": ("packages are installed from wheels only", "remove the line"),
    "--no-index": (_PLACE, _UV_HINT.format("`no-index`")),
    "--pre": (
        "pre-releases are not chosen for every package",
        'name them, such as `numpy>=3.0rc1`, or set `prerelease = "allow"` in a `uv.toml`',
    ),
    "--trusted-host": (_PLACE, _UV_HINT.format("`allow-insecure-host`")),
}
"""Options that are refused: the reason and what to do."""
_WITHOUT_EFFECT = frozenset({"--only-binary", "--prefer-binary"})
_SHORT = {
    "--constraint": "-c",
    "--editable": "-e",
    "--find-links": "-f",
    "--index-url": "-i",
    "--pypi-url": "-i",
    "--requirement": "-r",
}
_OPTION = re.compile(r"(?P<name>--[a-z][a-z-]*|-[a-z])(?:\s*=\s*|\s*)(?P<value>.*)")
_COMMENT = re.compile(r"(^|\s+)#.*$")
_HASH = re.compile(r"\s--hash(?:=|\s+)(\S+)")
_SHA256 = re.compile(r"sha256:([0-9a-f]{64})")
_PLACED = re.compile(r"[./~]|[\w+.-]+:|[^;]*[/\\]|\S+\.(whl|zip|tgz|tar\.\w+)$", re.IGNORECASE)
"""How paths and URLs look that pip takes for a requirement."""
_PLACED_REASON = "only packages of an index are supported, not paths and URLs"
_PLACED_HINT = (
    "build a wheel of it, name its directory in `find-links` of a `uv.toml` beside cog.yaml, and "
    "write its name here"
)


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a model needs: requirements and constraints (PEP 508) as they were written."""

    lines: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    hashes: dict[str, tuple[str, ...]] | None = None
    """The SHA-256 hashes allowed for each package, by name, or None when any will do."""
    files: tuple[str, ...] = ()
    """Where they were read from, relative to the project."""


def list_requirements(
    packages: Sequence[str], wheres: Sequence[Where], reporter: Reporter
) -> Requirements:
    """Return the requirements of a list; `wheres` says where each stands.

    Warns about those of `EXCLUDED`, which are left out. Raises `RequirementsError` for what is not
    a requirement or not supported, and `ProblemsError` for several.
    """
    reader = _Reader(reporter)
    for text, where in zip(packages, wheres, strict=True):
        reader.listed(_COMMENT.sub("", text).strip(), where)
    return reader.result()


def read_requirements(directory: Path, name: str, where: Where, reporter: Reporter) -> Requirements:
    """Return the requirements of the file `name` below the project's `directory`.

    `where` is the place that names the file. Warns and raises as `list_requirements` does, also for
    a file that cannot be read or is outside of the directory.
    """
    reader = _Reader(reporter)
    reader.file(directory.resolve(), directory, name, where, constraints=False)
    return reader.result()


class _Reader:
    """Collects what the lines say, and what is wrong with them."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._lines: list[str] = []
        self._constraints: list[str] = []
        self._hashes: dict[str, tuple[str, ...]] = {}
        self._hashes_required = False
        self._seen: set[tuple[Path, bool]] = set()
        self._files: list[str] = []
        self._problems: list[ResolveError] = []

    def result(self) -> Requirements:
        ProblemsError.raise_if_any(self._problems)
        hashes = self._hashes if self._hashes_required else None
        return Requirements(
            tuple(self._lines), tuple(self._constraints), hashes, tuple(dict.fromkeys(self._files))
        )

    def file(
        self, project: Path, near: Path, named: str, where: Where, *, constraints: bool
    ) -> None:
        """Read the file `named` at `where`, relative to the directory `near`, and what it names."""
        path = (near / named).resolve()
        if not path.is_relative_to(project):
            self._refuse(f"`{named}` is outside the project's directory", where)
            return
        if (path, constraints) in self._seen:
            return
        self._seen.add((path, constraints))
        try:
            text = read_text(path, where)
        except ProjectError as error:
            self._problems.append(error)
            return
        name = path.relative_to(project).as_posix()
        self._files.append(name)
        for number, line in _logical_lines(text):
            here = Where(name, line=number)
            if not line.startswith("-"):
                self._requirement(line, here, constraint=constraints)
            elif nested := self._option(line, here):
                option, file = nested
                only_constraints = constraints or option == "-c"
                self.file(project, path.parent, file, here, constraints=only_constraints)

    def listed(self, text: str, where: Where) -> None:
        """Take one item of a list, where pip's options have no place."""
        if text.startswith("-"):
            hint = "write a requirements file and name it in `python_requirements`"
            self._refuse(f"`{text}` is an option, not a requirement", where, hint=hint)
        else:
            self._requirement(text, where)

    def _requirement(self, line: str, where: Where, *, constraint: bool = False) -> None:
        hashes = _HASH.findall(line)
        text = _HASH.sub("", line).strip()
        if _PLACED.match(text):
            self._refuse(_PLACED_REASON, where, hint=_PLACED_HINT)
            return
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            self._refuse(f"`{text}` is not a requirement: {_first_line(error)}", where)
            return
        if requirement.url is not None:
            self._refuse(_PLACED_REASON, where, hint=_PLACED_HINT)
            return
        name = canonicalize_name(requirement.name)
        if name in EXCLUDED:
            self._reporter.warn(
                f"{where}: `{requirement.name}` is left out: the image has cogn's own",
            )
            return
        (self._constraints if constraint else self._lines).append(" ".join(text.split()))
        self._allow(name, hashes, where)

    def _allow(self, name: str, hashes: Sequence[str], where: Where) -> None:
        for value in hashes:
            if match := _SHA256.fullmatch(value):
                self._hashes_required = True
                self._hashes[name] = (*self._hashes.get(name, ()), match[1])
            else:
                self._refuse(f"`{value}` is not a SHA-256 hash", where)

    def _option(self, line: str, where: Where) -> tuple[str, str] | None:
        """Take a line that is an option; return it and its file if it is ``-r`` or ``-c``."""
        match = _OPTION.fullmatch(line)
        option = _SHORT.get(match["name"], match["name"]) if match else line
        value = match["value"].strip("\"'") if match else ""
        if option in {"-r", "-c"}:
            if value and "://" not in value:
                return option, value
            self._refuse(f"`{line}` names no file of the project", where)
        elif option == "--require-hashes":
            self._hashes_required = True
        elif option in _OPTIONS:
            reason, hint = _OPTIONS[option]
            self._refuse(f"`{match['name'] if match else option}`: {reason}", where, hint=hint)
        elif option not in _WITHOUT_EFFECT:
            self._refuse(f"`{line}` is not an option that cogn knows", where)
        return None

    def _refuse(self, message: str, where: Where, *, hint: str | None = None) -> None:
        self._problems.append(RequirementsError(message, where=where, hint=hint))


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines, continued ones joined and without comments, with the first's number."""
    parts: list[str] = []
    first = 0
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        if not parts:
            first = number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            parts.append(line[:-1])
            continue
        joined = _COMMENT.sub("", "".join([*parts, line])).strip()
        parts = []
        if joined:
            yield first, joined


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].lower()
