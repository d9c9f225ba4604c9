"""The canonical TOML form of a lock, and reading it back with every rule checked.

Entries of an array stand one a line and sorted, so that a change of one package is a change of one
line. The same lock always gives the same bytes.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from cogn.lockfiles.errors import LockFormatError, LockMissingError
from cogn.lockfiles.model import (
    FORMAT,
    BuiltFrom,
    Deb,
    Environment,
    ImageBase,
    Lock,
    Platform,
    StandalonePython,
    Wheel,
)
from cogn.report import ProblemsError, Where

__all__ = ["dumps", "loads", "read"]

_HEADER = "Written by `cogn lock`. Commit it; do not edit it."
_LARGEST = 16 << 20
_RELOCK = "run `cogn lock` to write it anew"
_MACHINES: Mapping[Platform, str] = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}


def dumps(lock: Lock) -> str:
    """Return the canonical TOML of `lock`."""
    import tomlkit  # late: most commands only read locks

    document = tomlkit.document()
    document.add(tomlkit.comment(_HEADER))
    by_platform = dict(sorted(lock.environments.items()))
    canonical = msgspec.structs.replace(lock, environments=by_platform)
    for key, value in _ordered(msgspec.to_builtins(canonical)).items():
        document.add(key, _item(value))
    return tomlkit.dumps(document)


def loads(text: str, *, name: str = "cogn.lock") -> Lock:
    """Return the lock that `text` holds; `name` is the file's name for messages.

    Raises `LockFormatError` for text that is not TOML, of another format version, or against a rule
    of the model, and `ProblemsError` with all of them when entries contradict themselves.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        conflict = "<<<<<<<" in text
        raise LockFormatError(
            "the file has merge conflict markers" if conflict else f"not valid TOML: {error}",
            where=Where(name, line=_line_of(error, text)),
            hint=_RELOCK,
        ) from error
    if (version := data.get("format")) != FORMAT:
        raise LockFormatError(
            f"lock format {version!r} is not {FORMAT}, the one that this cogn reads",
            where=Where(name, "format"),
            hint="use the version of cogn that wrote it, or " + _RELOCK,
        )
    try:
        lock = msgspec.convert(data, Lock)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at ")
        where = Where(name, _key(place, data))
        raise LockFormatError(message, where=where, hint=_RELOCK) from error
    ProblemsError.raise_if_any(list(_contradictions(lock, name)))
    return lock


def read(path: Path) -> Lock:
    """Return the lock in a file; raises what `loads` raises, and `LockMissingError`."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise LockFormatError("too large for a lock", where=Where(path.name), hint=_RELOCK)
        return loads(content.decode(), name=path.name)
    except FileNotFoundError as error:
        raise LockMissingError(
            f"there is no `{path.name}` in `{path.parent}`", hint="run `cogn lock` first"
        ) from error
    except OSError as error:
        raise LockFormatError(
            f"cannot be read: {error.strerror}", where=Where(path.name)
        ) from error
    except UnicodeDecodeError as error:
        raise LockFormatError("not UTF-8", where=Where(path.name), hint=_RELOCK) from error


def _ordered(table: dict[str, Any]) -> dict[str, Any]:
    """Return `table` without what is None, tables last, arrays of tables sorted."""
    known = {key: value for key, value in table.items() if value is not None}
    plain = {key: _sorted(value) for key, value in known.items() if not isinstance(value, dict)}
    tables = {key: _ordered(value) for key, value in known.items() if isinstance(value, dict)}
    return plain | tables


def _sorted(value: Any) -> Any:  # noqa: ANN401 - any TOML value
    # What has no name keeps its order: seals and the base's layers, which lie on each other.
    if _is_array_of_tables(value) and "name" in value[0]:
        return sorted(value, key=_entry_key)
    return value


def _is_array_of_tables(value: Any) -> bool:  # noqa: ANN401 - any TOML value
    return isinstance(value, (list, tuple)) and bool(value) and isinstance(value[0], dict)


def _entry_key(entry: dict[str, Any]) -> tuple[str, ...]:
    return (entry["name"], *(str(value) for value in entry.values()))


def _item(value: Any) -> Any:  # noqa: ANN401 - any TOML value
    import tomlkit

    if isinstance(value, dict):
        table = tomlkit.table()
        for key, item in value.items():
            table.add(key, _item(item))
        return table
    if _is_array_of_tables(value):
        array = tomlkit.array()
        for entry in value:
            row = tomlkit.inline_table()
            row.update(entry)
            array.append(row)
        return array.multiline(True)
    return tomlkit.item(list(value) if isinstance(value, tuple) else value)


def _line_of(error: tomllib.TOMLDecodeError, text: str) -> int:
    found = re.search(r"at line (\d+)", str(error))
    return int(found[1]) if found else text.count("\n") + 1


def _key(place: str, data: dict[str, Any]) -> str | None:
    """Return the key of the place that msgspec names, such as ``$.environments[...].server``."""
    key = place.removeprefix("`key` in ").strip("`").removeprefix("$.")
    if "[...]" in key:  # a key of a dictionary: it was the first one whose value is wrong
        for platform, environment in data["environments"].items():
            try:
                msgspec.convert(environment, Environment)
            except msgspec.ValidationError:
                return key.replace("environments[...]", _environment_key(platform))
    return key or None


def _environment_key(platform: str) -> str:
    return f'environments."{platform}"'


def _contradictions(lock: Lock, name: str) -> Iterable[LockFormatError]:
    """Yield what the types alone cannot forbid: entries that contradict each other or a rule."""
    for platform, environment in lock.environments.items():
        for key, message in _faults(environment, platform):
            where = Where(name, f"{_environment_key(platform)}.{key}")
            yield LockFormatError(message, where=where, hint=_RELOCK)


def _faults(environment: Environment, platform: Platform) -> Iterable[tuple[str, str]]:
    """Yield the key and the message of each rule that an environment breaks."""
    architectures = {"all", platform.partition("/")[2]}
    base, python = environment.base, environment.python
    archives = {archive.name for archive in base.archives}
    packages = {
        "base.debs": base.debs,
        "python.debs": python.debs,
        "system": environment.system,
    }
    if isinstance(base, ImageBase):
        packages["base.interpreter"] = base.interpreter
    for key, debs in packages.items():
        for index, deb in enumerate(debs):
            if deb.archive not in archives:
                yield f"{key}[{index}].archive", f"there is no archive `{deb.archive}`"
            if deb.architecture not in architectures:
                message = f"`{deb.architecture}` is not the architecture of {platform}"
                yield f"{key}[{index}].architecture", message
            if not _is_pool_path(deb.path):
                yield f"{key}[{index}].path", f"`{deb.path}` is not a path of an archive"
    if isinstance(python, StandalonePython) and (fault := _standalone_fault(python, platform)):
        yield "python.file", fault
    wheels_by_key = {
        "wheels": environment.wheels,
        "server": environment.server,
        "tools": environment.tools,
    }
    for key, wheels in wheels_by_key.items():
        for index, wheel in enumerate(wheels):
            if fault := _wheel_fault(wheel):
                yield f"{key}[{index}].file", fault
            if wheel.built is not None and not _names_source(wheel.built):
                message = "neither the name and the hash of an archive nor a commit"
                yield f"{key}[{index}].built", message
    named: Sequence[tuple[str, Sequence[Deb | Wheel]]] = (
        ("base.debs", environment.fetched_debs),
        *wheels_by_key.items(),
    )
    for key, entries in named:
        seen: set[str] = set()
        for entry in entries:
            if entry.name in seen:
                yield key, f"`{entry.name}` is there twice"
            seen.add(entry.name)
    suites: set[tuple[str, str]] = set()
    for archive in base.archives:
        if (archive.name, archive.suite) in suites:
            yield "base.archives", f"`{archive.suite}` of `{archive.name}` is there twice"
        suites.add((archive.name, archive.suite))


def _is_pool_path(path: str) -> bool:
    parts = path.split("/")
    return path.endswith(".deb") and path.isprintable() and not {"", ".", ".."} & set(parts)


def _standalone_fault(python: StandalonePython, platform: Platform) -> str | None:
    start = f"cpython-{python.version}+{python.release}-{_MACHINES[platform]}-"
    return None if python.file.startswith(start) else f"`{python.file}` does not begin `{start}`"


def _names_source(built: BuiltFrom) -> bool:
    """Tell whether what a wheel was built from is named, in one of the two ways."""
    if built.commit is not None:
        return built.file is None and built.sha256 is None
    return bool(built.file) and built.sha256 is not None and "/" not in (built.file or "")


def _wheel_fault(wheel: Wheel) -> str | None:
    try:
        name, version, _, _ = parse_wheel_filename(wheel.file)
        same = (name, version) == (canonicalize_name(wheel.name), Version(wheel.version))
    except (InvalidWheelFilename, InvalidVersion) as error:
        return str(error)
    return None if same else f"`{wheel.file}` is not {wheel.name} {wheel.version}"
