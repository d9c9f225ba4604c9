"""What a root file system holds, as far as layers on top of it have to know.

Layers are put on each other by the rules of the OCI image specification, layer.md: whiteouts remove
what lies below, never what comes with the same layer.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

import msgspec

from cogn.store.errors import ImageError
from cogn.store.images.tar import Member

__all__ = ["Metadata", "Rootfs", "is_kept", "stacked"]

_STATUS = "var/lib/dpkg/status"
_STATUS_DIRECTORY = "var/lib/dpkg/status.d/"
_OS_RELEASE = ("etc/os-release", "usr/lib/os-release")
_KEPT = frozenset(
    (
        *_OS_RELEASE,
        *(f"var/lib/dpkg/{name}" for name in ("status", "diversions", "statoverride")),
        *(f"etc/{name}" for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")),
        *(f"etc/{name}" for name in ("shells", "ld.so.cache", "ld.so.conf")),
        "etc/ca-certificates.conf",
        "etc/dpkg/dpkg.cfg",
    )
)
_KEPT_DIRECTORIES = frozenset(
    ("var/lib/dpkg/alternatives", "etc/dpkg/dpkg.cfg.d", "etc/ld.so.conf.d")
)
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


class Metadata(msgspec.Struct, frozen=True, array_like=True):
    """Mode and owner of a directory."""

    mode: int = 0o755
    uid: int = 0
    gid: int = 0


class Rootfs(msgspec.Struct, frozen=True, kw_only=True):
    """A root file system by its paths, which are relative to the root."""

    directories: dict[str, Metadata]
    links: dict[str, str]
    """Symbolic links and their targets as they are written."""
    files: frozenset[str]
    """Everything else."""
    contents: dict[str, bytes]
    """The content of the files for which `is_kept` holds: those that packages add to."""

    @property
    def release(self) -> dict[str, str]:
        """The fields of os-release(5); empty without one."""
        text = next(filter(None, map(self.text, _OS_RELEASE)), "")
        fields = {}
        for line in text.splitlines():
            key, equals, value = line.partition("=")
            if equals and key.isidentifier():
                try:
                    fields[key] = "".join(shlex.split(value))
                except ValueError:  # a quote that does not end
                    continue
        return fields

    @property
    def status(self) -> str:
        """The list of packages that dpkg keeps; empty without one."""
        return self.text(_STATUS)

    @property
    def stanzas(self) -> str:
        """All lists of packages: dpkg's own, and those that images without dpkg have."""
        others = sorted(path for path in self.contents if path.startswith(_STATUS_DIRECTORY))
        return "\n\n".join([self.status, *map(self.text, others)])

    def text(self, path: str) -> str:
        """Return the text of a file that is kept, "" when there is none; raises `ImageError`."""
        try:
            return self.contents.get(path, b"").decode()
        except UnicodeDecodeError as error:
            raise ImageError(f"`{path}` of the base image is not UTF-8") from error

    def has(self, path: str) -> bool:
        """Tell whether there is anything at that path."""
        return path in self.directories or path in self.links or path in self.files

    def encode(self) -> bytes:
        """Return the canonical JSON, which `decode` reads."""
        return msgspec.json.encode(self, order="sorted")

    @classmethod
    def decode(cls, data: bytes) -> Rootfs:
        """Return what `encode` wrote; raises `ImageError`."""
        try:
            return msgspec.json.decode(data, type=cls)
        except msgspec.DecodeError as error:
            raise ImageError(f"the list of a base image's files is damaged: {error}") from error


def is_kept(path: str) -> bool:
    """Tell whether `Rootfs.contents` has the file at that path."""
    if path.startswith(_STATUS_DIRECTORY):
        return not path.endswith(".md5sums")
    return path in _KEPT or path.rpartition("/")[0] in _KEPT_DIRECTORIES


def stacked(layers: Iterable[Iterable[Member]]) -> Rootfs:
    """Return what layers, the lowest first, are together; raises `ImageError`."""
    system = _System()
    for members in layers:
        system.add(members)
    return Rootfs(
        directories=system.directories,
        links=system.links,
        files=frozenset(system.files),
        contents=system.contents,
    )


class _System:
    def __init__(self) -> None:
        self.directories: dict[str, Metadata] = {}
        self.links: dict[str, str] = {}
        self.files: set[str] = set()
        self.contents: dict[str, bytes] = {}

    def add(self, members: Iterable[Member]) -> None:
        """Put a layer on top."""
        by_path: dict[str, Member] = {}
        removed: set[str] = set()
        emptied: set[str] = set()
        for member in members:
            parent, slash, name = member.path.rpartition("/")
            if name == _OPAQUE:
                emptied.add(parent)
            elif name.startswith(_WHITEOUT):
                removed.add(f"{parent}{slash}{name.removeprefix(_WHITEOUT)}")
            else:
                by_path[member.path] = member
        # What is no directory takes the place of a whole tree.
        removed |= {path for path, member in by_path.items() if member.kind != "directory"}
        self._remove(removed & self._paths(), emptied)
        for path, member in by_path.items():
            self._place(path, member, by_path)

    def _paths(self) -> set[str]:
        return self.directories.keys() | self.links.keys() | self.files

    def _remove(self, removed: set[str], emptied: set[str]) -> None:
        if not removed and not emptied:
            return

        def is_gone(path: str) -> bool:
            above = list(_parents(path))
            return path in removed or not removed.isdisjoint(above) or not emptied.isdisjoint(above)

        for path in filter(is_gone, self._paths()):
            self._drop(path)

    def _drop(self, path: str) -> None:
        self.directories.pop(path, None)
        self.links.pop(path, None)
        self.files.discard(path)
        self.contents.pop(path, None)

    def _place(self, path: str, member: Member, layer: dict[str, Member]) -> None:
        for above in _parents(path):
            if above and above not in self.directories and above not in layer:
                self._drop(above)  # a runtime puts a plain directory in its place
                self.directories[above] = Metadata()
        self._drop(path)
        match member.kind:
            case "directory":
                self.directories[path] = Metadata(member.mode, member.uid, member.gid)
            case "symlink":
                self.links[path] = member.target
            case _:
                self.files.add(path)
                self._keep(path, member)

    def _keep(self, path: str, member: Member) -> None:
        if not is_kept(path):
            return
        if member.content is None:
            raise ImageError(f"`{path}` is no plain file, so cogn cannot read it")
        self.contents[path] = member.content


def _parents(path: str) -> Iterator[str]:
    """Yield the directories above a path, the root (as an empty path) last."""
    while path:
        path = path.rpartition("/")[0]
        yield path
