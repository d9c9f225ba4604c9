"""What ldconfig(8) makes of a tree of files: the entries of the loader's cache, and soname links.

With the rules of glibc's ``ldconfig.c`` and of the two changes that Debian and Ubuntu make to it:
the loader's own directories are searched, and no link to the loader itself is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from cogn.layers.debian.libraries import NAME_LIMIT, Library
from cogn.layers.debian.loader_cache import CacheEntry, library_key

__all__ = ["LibraryTree", "Linked", "ldconfig", "search_directories"]

_CONFIGURATION = "etc/ld.so.conf"
_TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
_ACCEPTED = {"amd64": {0x0003, 0x0303, 0x0803}, "arm64": {0x0903, 0x0A03, 0x0B03}}
"""The flags of the libraries that each architecture's ldconfig takes."""

_LOADERS = frozenset(
    {
        "ld-linux-aarch64.so.1",
        "ld-linux-armhf.so.3",
        "ld-linux-x32.so.2",
        "ld-linux-x86-64.so.2",
        "ld-linux.so.2",
        "ld-linux.so.3",
    }
)
_HWCAPS = "glibc-hwcaps"
_MOST_LINKS = 40
_MOST_FILES = 256


class LibraryTree:
    """Files and links, by their real paths, relative to the root.

    `files` has all regular files that a search directory has; what is no library has None. `links`
    has the symbolic links there and on the way to there, with their texts.
    """

    def __init__(self, files: Mapping[str, Library | None], links: Mapping[str, str]) -> None:
        self.files = files
        self.links = links
        self._directories: dict[str, set[str]] = {"": set()}
        for path in (*files, *links):
            self._enter(path)

    def _enter(self, path: str) -> None:
        is_new = True
        while path and is_new:
            path, _, name = path.rpartition("/")
            is_new = path not in self._directories
            self._directories.setdefault(path, set()).add(name)

    def names(self, directory: str) -> list[str] | None:
        """Return what the directory at a real path holds, sorted; None when there is none."""
        names = self._directories.get(directory)
        return None if names is None else sorted(names)

    def resolve(self, path: str) -> str | None:
        """Return the real path behind `path`, all links followed; None for a loop of links."""
        real: list[str] = []
        left = path.split("/")[::-1]
        links = 0
        while left:
            part = left.pop()
            if part == "..":
                del real[-1:]
            elif part not in {"", "."}:
                real.append(part)
                target = self.links.get("/".join(real))
                if target is not None:
                    links += 1
                    if links > _MOST_LINKS:
                        return None
                    del real[0 if target.startswith("/") else -1 :]
                    left += target.split("/")[::-1]
        return "/".join(real)


@dataclass(frozen=True, slots=True)
class Linked:
    """What ldconfig would write."""

    entries: Sequence[CacheEntry]
    """In the order of the directories."""
    links: Mapping[str, str]
    """The links from sonames to files that are not there yet or lead to an older file, by path."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A file that may be the library of a soname in its directory."""

    name: str
    library: Library
    is_link: bool


def search_directories(configuration: Mapping[str, bytes], architecture: str) -> list[str]:
    """Return the absolute directories that ldconfig searches, in order.

    `configuration` has the content of ``etc/ld.so.conf`` and of what it may include, by path. The
    architecture is meant in Debian's terms.
    """
    triplet = _TRIPLETS[architecture]
    configured = _configured(_CONFIGURATION, configuration, set())
    builtin = (f"/lib/{triplet}", f"/usr/lib/{triplet}", "/lib", "/usr/lib")
    return list(dict.fromkeys([*configured, *builtin]))


def ldconfig(tree: LibraryTree, directories: Iterable[str], architecture: str) -> Linked:
    """Return the cache entries and the links for the libraries in `directories`.

    Libraries of other architectures are left out. Links that lead nowhere stay, which ldconfig
    would delete: a layer deletes nothing.
    """
    entries: list[CacheEntry] = []
    links: dict[str, str] = {}
    seen: set[str] = set()
    # As in ldconfig, a directory comes with its subdirectories, before the directory after it.
    for directory in directories:
        for path, hwcaps in _with_subdirectories(tree, directory):
            real = tree.resolve(path)
            if real is None or real in seen:
                continue
            seen.add(real)
            chosen = _libraries(tree, real, _ACCEPTED[architecture])
            for soname, candidate in chosen.items():
                library, name = candidate.library, candidate.name if hwcaps else soname
                level = library.isa_level if hwcaps else 0
                entries.append(CacheEntry(soname, f"{path}/{name}", library.flags, hwcaps, level))
                if not hwcaps and _needs_link(tree, real, soname, candidate):
                    links[f"{real}/{soname}"] = candidate.name
    return Linked(entries, links)


def _configured(path: str, configuration: Mapping[str, bytes], read: set[str]) -> list[str]:
    """Return the directories that a configuration file names, included files in their places."""
    if path in read or len(read) > _MOST_FILES:  # read again, a file says nothing new
        return []
    read.add(path)
    directories = []
    for line in configuration.get(path, b"").decode("utf-8", "surrogateescape").split("\n"):
        words = line.partition("#")[0].strip()
        first, _, rest = words.replace("\t", " ").partition(" ")
        if first == "include" and rest:
            for pattern in rest.split(" "):
                for included in _matching(pattern, path, configuration):
                    directories += _configured(included, configuration, read)
        elif first.lower() != "hwcap" and words.rstrip("/"):
            directories.append(words.rstrip("/"))
    return directories


def _matching(pattern: str, path: str, configuration: Mapping[str, bytes]) -> list[str]:
    """Return the files that an include's pattern (glob(3)) matches, sorted."""
    if not pattern:
        return []
    absolute = f"/{PurePosixPath(path).parent}/{pattern}" if pattern[0] != "/" else pattern
    hidden = PurePosixPath(absolute).name.startswith(".")
    return sorted(
        name
        for name in configuration
        if PurePosixPath(f"/{name}").match(absolute)
        and (hidden or not PurePosixPath(name).name.startswith("."))
    )


def _with_subdirectories(tree: LibraryTree, directory: str) -> list[tuple[str, str]]:
    """Return the directory and those for certain processors in it, with the names of these."""
    found = [(directory, "")]
    real = tree.resolve(f"{directory}/{_HWCAPS}")
    names = None if real is None else tree.names(real)
    return found + [
        (f"{directory}/{_HWCAPS}/{name}", name)
        for name in names or ()
        if not name.startswith(".") and ":" not in name
    ]


def _libraries(tree: LibraryTree, directory: str, accepted: set[int]) -> dict[str, _Candidate]:
    """Return the library of each soname in a directory: a file before a link, the newest name."""
    best: dict[str, _Candidate] = {}
    for name in tree.names(directory) or ():
        if not _is_library_name(name):
            continue
        path = f"{directory}/{name}"
        target = tree.resolve(path)
        library = None if target is None else tree.files.get(target)
        if library is None or library.flags not in accepted:
            continue
        soname = library.soname or name
        # A link is one only when it has the soname, or is what compilers ask for: libx.so.
        is_link = path in tree.links and (
            name == soname or (name.endswith(".so") and soname.startswith(name))
        )
        if is_link:
            soname = name
        candidate = _Candidate(name, library, is_link)
        known = best.get(soname)
        if known is None or _rank(candidate) > _rank(known):
            best[soname] = candidate
    return best


def _rank(candidate: _Candidate) -> tuple[bool, tuple[tuple[int, int], ...]]:
    return not candidate.is_link, library_key(candidate.name)


def _is_library_name(name: str) -> bool:
    """Tell whether ldconfig looks at a file of this name; glibc: ``_dl_is_dso``."""
    if len(name.encode("utf-8", "surrogateescape")) > NAME_LIMIT:
        return False
    return (name.startswith(("lib", "ld-")) and ".so" in name) or name.startswith(
        ("ld.so.", "ld64.so.")
    )


def _needs_link(tree: LibraryTree, directory: str, soname: str, chosen: _Candidate) -> bool:
    if chosen.is_link:
        return False
    path = f"{directory}/{soname}"
    if path not in tree.links:
        return path not in tree.files and tree.names(path) is None
    target = tree.resolve(path)
    if target is None or (target not in tree.files and tree.names(target) is None):
        return True  # it leads nowhere
    return target != tree.resolve(f"{directory}/{chosen.name}") and soname not in _LOADERS
