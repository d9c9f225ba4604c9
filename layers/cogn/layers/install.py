"""Installing wheels into a directory of the image, as the entries of a layer.

The layout is that of ``uv pip install --target``: packages in the directory itself, scripts in its
``bin``, the data scheme below it, headers in ``include``. The specification is "Binary distribution
format" and "Recording installed projects" of packaging.python.org.
"""

from __future__ import annotations

import base64
import configparser
import hashlib
from collections.abc import Iterable, Iterator

from installer.records import Hash, InvalidRecordEntry, RecordEntry, parse_record_file
from installer.scripts import Script
from installer.utils import Scheme, construct_record_file, parse_entrypoints

from cogn.layers.content import read, read_all
from cogn.layers.entry import Bytes, Content, Entry
from cogn.layers.errors import WheelError
from cogn.layers.wheel import WheelFile, WheelMember

__all__ = ["INTERPRETER", "installed"]

INTERPRETER = "/usr/local/bin/python"
"""What scripts start: the same in every image, so that a wheel's layer is."""

_INSTALLER = b"cogn\n"
_PLACEHOLDER = b"#!python"


def installed(wheel: WheelFile, prefix: str) -> list[Entry]:
    """Return the files of `wheel` installed in the directory `prefix`.

    Raises `WheelError` for metadata that cannot be followed.
    """
    return list(_Installation(wheel, prefix).entries())


class _Installation:
    """One wheel on its way into one directory; collects the new RECORD."""

    def __init__(self, wheel: WheelFile, prefix: str) -> None:
        self._wheel = wheel
        self._prefix = prefix
        self._data = wheel.dist_info.removesuffix(".dist-info") + ".data"
        self._hashes = self._recorded()
        self._records: dict[str, RecordEntry] = {}

    def entries(self) -> Iterator[Entry]:
        info = self._wheel.dist_info
        generated = {f"{info}/RECORD", f"{info}/INSTALLER"}
        for member in self._wheel.members:
            if member.path in generated or member.path in {
                f"{info}/RECORD.jws",  # signatures of the RECORD that is written anew
                f"{info}/RECORD.p7s",
            }:
                continue
            yield self._member(member)
        for name, script in self._scripts():
            yield self._new(f"bin/{name}", script, executable=True)
        yield self._new(f"{info}/INSTALLER", _INSTALLER)
        record = f"{info}/RECORD"
        self._records[record] = RecordEntry(record, None, None)
        below_prefix = Scheme("purelib")  # all our paths are relative to the one directory
        rows = [(below_prefix, row) for row in self._records.values()]
        with construct_record_file(rows) as text:
            yield Entry.file(f"{self._prefix}/{record}", Bytes(text.read()))

    def _member(self, member: WheelMember) -> Entry:
        path, scheme = self._target(member.path)
        content: Content = member.content
        recorded = self._hashes.get(member.path)
        if scheme == "scripts" and (rewritten := _with_interpreter(content)) is not None:
            return self._new(path, rewritten, executable=True)
        if recorded is None:
            recorded = RecordEntry(path, _hash_of(read(content)), content.size)
        self._add(RecordEntry(path, recorded.hash_, recorded.size))
        executable = member.executable or scheme == "scripts"
        return Entry.file(f"{self._prefix}/{path}", content, executable=executable)

    def _new(self, path: str, data: bytes, *, executable: bool = False) -> Entry:
        self._add(RecordEntry(path, _hash_of([data]), len(data)))
        return Entry.file(f"{self._prefix}/{path}", Bytes(data), executable=executable)

    def _add(self, record: RecordEntry) -> None:
        if record.path in self._records:
            raise WheelError(f"`{self._wheel.name}` installs `{record.path}` twice")
        self._records[record.path] = record

    def _target(self, path: str) -> tuple[str, str]:
        """Return where a member goes below the prefix, and its scheme."""
        top, _, rest = path.partition("/")
        if top != self._data:
            return path, "purelib"
        scheme, _, below = rest.partition("/")
        match scheme:
            case "purelib" | "platlib" | "data" if below:
                return below, scheme
            case "scripts" if below:
                return f"bin/{below}", scheme
            case "headers" if below:
                project = self._wheel.dist_info.partition("-")[0]
                return f"include/{project}/{below}", scheme
        raise WheelError(f"`{self._wheel.name}`: `{path}` is in no installation scheme")

    def _scripts(self) -> Iterable[tuple[str, bytes]]:
        text = self._wheel.metadata("entry_points.txt")
        if text is None:
            return
        try:
            parsed = list(parse_entrypoints(text))
        except (AssertionError, configparser.Error) as error:
            raise WheelError(f"`{self._wheel.name}`: entry_points.txt is malformed") from error
        for name, module, attribute, section in parsed:
            if "/" in name or name in {"", ".", ".."}:
                raise WheelError(f"`{self._wheel.name}`: `{name}` cannot be a script's name")
            yield Script(name, module, attribute, section).generate(INTERPRETER, "posix")

    def _recorded(self) -> dict[str, RecordEntry]:
        """Return the wheel's own RECORD rows that have a hash, by path."""
        text = self._wheel.metadata("RECORD")
        if text is None:
            raise WheelError(f"`{self._wheel.name}` has no RECORD")
        try:
            rows = [RecordEntry.from_elements(*row) for row in parse_record_file(text.splitlines())]
        except (InvalidRecordEntry, ValueError) as error:
            raise WheelError(f"`{self._wheel.name}`: RECORD is malformed") from error
        return {row.path: row for row in rows if row.hash_ is not None}


def _with_interpreter(content: Content) -> bytes | None:
    """Return a script whose ``#!python`` line names the image's interpreter, or None."""
    if next(iter(read(content)), b"")[: len(_PLACEHOLDER)] != _PLACEHOLDER:
        return None
    _, newline, rest = read_all(content).partition(b"\n")
    return f"#!{INTERPRETER}".encode() + newline + rest


def _hash_of(pieces: Iterable[bytes]) -> Hash:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return Hash("sha256", base64.urlsafe_b64encode(digest.digest()).decode().rstrip("="))
