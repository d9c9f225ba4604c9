"""Reading requirements: items of a list, or lines of files in pip's format."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from cogn.report import CognError, ProblemsError, Reporter, Where
from cogn.resolver.errors import RequirementsError
from cogn.resolver.requirements.lines import logical_lines, without_comment
from cogn.resolver.requirements.model import EXCLUDED, Requirements
from cogn.resolver.requirements.options import NESTED, Options, split_option
from cogn.resolver.requirements.reference import is_direct, read_reference
from cogn.resolver.textfile import read_text
from cogn.store.origins import Origins, masked, variables
from cogn.store.uv import Builds

__all__ = ["Reader", "is_excluded"]

_HASH = re.compile(r"\s--hash(?:=|\s+)(\S+)")
_HASHES = re.compile(r"sha256:(?P<sha256>[0-9a-f]{64})|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
_OWN_OPTION = re.compile(r"\s(--(?:config-settings?|global-option|install-option))\b")


def is_excluded(name: str, where: Where, reporter: Reporter) -> bool:
    """Tell whether a package is left out, and tell the person so."""
    if canonicalize_name(name) not in EXCLUDED:
        return False
    reporter.note(f"{where}: `{name}` is left out: the image has cogn's own `cog`")
    return True


@dataclass(slots=True)
class Reader:
    """Collects what requirements say, and what is wrong with them.

    `project` is the directory of the model, resolved.
    """

    project: Path
    reporter: Reporter
    build_sdists: bool
    _lines: list[str] = field(default_factory=list)
    _constraints: list[str] = field(default_factory=list)
    _hashes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _references: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _sources: set[str] = field(default_factory=set)
    _local: dict[str, str] = field(default_factory=dict)
    _seen: set[tuple[Path, bool]] = field(default_factory=set)
    _files: dict[str, None] = field(default_factory=dict)
    _no_binary: list[tuple[str, Where]] = field(default_factory=list)
    _problems: list[CognError] = field(default_factory=list)
    _options: Options = field(init=False)

    def __post_init__(self) -> None:
        """Make the collector of options, which knows the project, too."""
        self._options = Options(self.project)

    def result(self) -> Requirements:
        """Return what was read; raises what is wrong with it, all of it together."""
        options = self._options
        if options.no_binary and not self.build_sdists:
            for name, where in self._no_binary:
                self.refuse(
                    f"`--no-binary {name}`: packages are not built from source",
                    where,
                    hint="write `build_sdists = true` in cogn.toml, which runs build scripts on "
                    "this machine; or remove the line",
                )
        ProblemsError.raise_if_any(self._problems)
        required = bool(self._hashes) or options.require_hashes
        return Requirements(
            lines=tuple(self._lines),
            constraints=tuple(self._constraints),
            hashes=self._hashes if required else None,
            files=(*self._files, *self._local),
            origins=Origins(
                options=options.lines,
                prerelease=options.prerelease,
                insecure_hosts=tuple(dict.fromkeys(options.insecure_hosts)),
                references=self._references,
            ),
            builds=Builds(
                allowed=self.build_sdists and ":all:" not in options.only_binary,
                forced=frozenset(options.no_binary | self._sources),
                never=frozenset(options.only_binary),
            ),
            local=self._local,
        )

    def file(self, near: Path, named: str, where: Where, *, constraints: bool = False) -> None:
        """Read the file `named` at `where`, relative to the directory `near`, and what it names."""
        path = (near / named).resolve()
        if not path.is_relative_to(self.project):
            self.refuse(f"`{named}` is outside the project's directory", where)
            return
        if (path, constraints) in self._seen:
            return
        self._seen.add((path, constraints))
        try:
            text = read_text(path, where)
        except CognError as error:
            self._problems.append(error)
            return
        name = path.relative_to(self.project).as_posix()
        self._files[name] = None
        for number, line in logical_lines(text):
            here = Where(name, line=number)
            self._line(line, here, near=path.parent, constraints=constraints)

    def _line(self, line: str, where: Where, *, near: Path, constraints: bool) -> None:
        try:
            if line.startswith("-"):
                self._option(line, near, where, constraints=constraints)
            else:
                self._requirement(line, where, near=near, constraint=constraints)
        except (ValueError, OSError) as error:  # no URL, or no path that this system can have
            self.refuse(f"`{masked(line)}` cannot be read: {error}", where)

    def listed(self, text: str, where: Where) -> None:
        """Take one item of a list, where pip's options have no place."""
        text = without_comment(text)
        if text.startswith("-"):
            hint = "write a requirements file and name it in `python_requirements`"
            self.refuse(f"`{masked(text)}` is an option, not a requirement", where, hint=hint)
        else:
            self._line(text, where, near=self.project, constraints=False)

    def _option(self, line: str, near: Path, where: Where, *, constraints: bool) -> None:
        name, value = split_option(line)
        if name in NESTED:
            if not value or "://" in value or next(variables(value), None):
                self.refuse(f"`{masked(line)}` names no file of the project", where)
            else:
                self.file(near, value, where, constraints=constraints or name == "-c")
            return
        try:
            self._options.take(line, near, where)
        except RequirementsError as error:
            self._problems.append(error)
        else:
            if name == "--no-binary":
                self._no_binary.append((value, where))

    def _requirement(
        self, line: str, where: Where, *, near: Path, constraint: bool = False
    ) -> None:
        if match := _OWN_OPTION.search(line):
            hint = "build a wheel of it in the way that you need, and refer to that"
            self.refuse(f"`{match[1]}`: options for builds are not passed on", where, hint=hint)
            return
        hashes = _HASH.findall(line)
        text = " ".join(_HASH.sub("", line).split())
        if is_direct(text):
            self._direct(text, hashes, where, near=near, constraint=constraint)
            return
        if name := next(variables(text), None):
            self.refuse(
                f"`{text}`: what is required must not depend on the machine's `{name}`", where
            )
            return
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            self.refuse(f"`{text}` is not a requirement: {_first_line(error)}", where)
            return
        if is_excluded(requirement.name, where, self.reporter):
            return
        (self._constraints if constraint else self._lines).append(text)
        self._allow(canonicalize_name(requirement.name), hashes, where)

    def _direct(
        self, text: str, hashes: Sequence[str], where: Where, *, near: Path, constraint: bool
    ) -> None:
        if constraint:
            self.refuse(
                "a constraint is about versions, not about places",
                where,
                hint="write the URL or the path into the requirements",
            )
            return
        try:
            reference = read_reference(
                text, where, project=self.project, near=near, build_sdists=self.build_sdists
            )
            Requirement(reference.line)
        except InvalidRequirement as error:
            self.refuse(f"`{masked(text)}` is not a requirement: {_first_line(error)}", where)
            return
        except RequirementsError as error:
            self._problems.append(error)
            return
        name = reference.name
        if is_excluded(name, where, self.reporter):
            return
        self._lines.append(reference.line)
        self._references[name] = (*self._references.get(name, ()), reference.place)
        if reference.is_source:
            self._sources.add(name)
        if reference.path is not None:
            with (self.project / reference.path).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            self._local[reference.path] = digest
        given = [f"sha256:{reference.sha256}"] if reference.sha256 else []
        self._allow(name, [*hashes, *given], where)

    def _allow(self, name: str, hashes: Sequence[str], where: Where) -> None:
        matches = [(value, _HASHES.fullmatch(value)) for value in hashes]
        for value, match in matches:
            if match is None:
                self.refuse(f"`{value}` is not a SHA-256 hash", where)
            elif match["sha256"]:
                self._hashes[name] = (*self._hashes.get(name, ()), match["sha256"])
            elif not any(other and other["sha256"] for _, other in matches):
                self.refuse(
                    f"`{value.partition(':')[0]}` alone: cogn compares SHA-256 hashes",
                    where,
                    hint="add the package's `--hash=sha256:...`",
                )

    def add_file(self, name: str) -> None:
        """Note a file, by its path below the project, that what is read comes from."""
        self._files[name] = None

    def refuse(self, message: str, where: Where, *, hint: str | None = None) -> None:
        """Note something that is wrong, for `result` to raise."""
        self._problems.append(RequirementsError(message, where=where, hint=hint))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].lower()
