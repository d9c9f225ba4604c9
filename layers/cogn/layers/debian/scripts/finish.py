"""What programs make out of the files of all packages: done once, when all are configured."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from cogn.layers.debian.certificates import trusted_certificates
from cogn.layers.debian.ldconfig import LibraryTree, ldconfig, search_directories
from cogn.layers.debian.libraries import Library
from cogn.layers.debian.loader_cache import LoaderCache, merge_caches, read_cache, write_cache
from cogn.layers.debian.scripts.errors import Unfollowed
from cogn.layers.debian.scripts.keystore import keystore
from cogn.layers.debian.scripts.pam import pam_files
from cogn.layers.debian.scripts.system import System
from cogn.layers.entry import Bytes, Entry, Kind
from cogn.layers.errors import DebError

__all__ = ["finish"]

_CACHE = "etc/ld.so.cache"
_PACKAGED = "usr/share/ca-certificates"
_LOCAL = "usr/local/share/ca-certificates"
_TRUSTED = "etc/ssl/certs"
_KEYSTORE = "etc/ssl/certs/java/cacerts"
_SCHEMAS = "usr/share/glib-2.0/schemas"
_PROFILES = "usr/share/pam-configs"
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


def finish(system: System, libraries: Mapping[str, Library]) -> None:
    """Do what scripts wanted to be done with the files of all packages.

    `libraries` are those of the packages by their real paths. Raises `DebError` where that needs
    more than is known of a base image.
    """
    try:
        if "ldconfig" in system.wanted or _has(system, _CACHE):
            _loader_cache(system, libraries)
        if system.wanted & {"update-ca-certificates", "java-keystore"}:
            _certificates(system)
        for name, act in _ACTS.items():
            if name in system.wanted:
                act(system)
    except Unfollowed as error:
        raise DebError(
            f"what packages made of the system's files cannot be made: {error}",
            hint="name another image as `base` in cogn.toml, or none",
        ) from error


def _has(system: System, path: str) -> bool:
    return system.tree.get(path) is not None


def _write(system: System, path: str, data: bytes, mode: int = 0o644) -> None:
    """Write a file; one that is there keeps its mode and owner."""
    tree = system.tree
    tree.make_parents(path)
    node = tree.get(path) or Entry(path=path, kind=Kind.FILE, mode=mode)
    tree.put(replace(node, content=Bytes(data)))


def _files(system: System, directory: str, suffix: str = "") -> dict[str, bytes]:
    """Return the files below a directory by their paths in it."""
    return {
        entry.path.removeprefix(f"{directory}/"): system.tree.read(entry.path)
        for entry in system.tree.below(directory)
        if entry.kind is Kind.FILE and entry.path.endswith(suffix)
    }


def _loader_cache(system: System, libraries: Mapping[str, Library]) -> None:
    tree = system.tree
    nodes = list(tree.all())
    configuration = {
        path: tree.read(path)
        for path in (
            "etc/ld.so.conf",
            *(f"etc/ld.so.conf.d/{n}" for n in tree.names("etc/ld.so.conf.d")),
        )
        if _has(system, path)
    }
    directories = search_directories(configuration, system.architecture)
    seen = LibraryTree(
        {each.path: libraries.get(each.path) for each in nodes if each.kind is Kind.FILE},
        {each.path: each.target for each in nodes if each.kind is Kind.SYMLINK},
    )
    found = ldconfig(seen, directories, system.architecture)
    entries, generator = list(found.entries), _generator(system)
    if _has(system, _CACHE):
        below = read_cache(tree.read(_CACHE))
        entries, generator = merge_caches(below.entries, entries, directories), below.generator
    for path, target in sorted(found.links.items()):
        tree.put(Entry.symlink(path, target))
    _write(system, _CACHE, write_cache(LoaderCache(entries, generator)))


def _generator(system: System) -> str:
    """Return how the C library's ldconfig calls itself in a cache."""
    libc = system.installed.get("libc-bin")
    version = "" if libc is None else libc.version
    maker = "Ubuntu" if "ubuntu" in version else "Debian"
    release = version.partition("-")[0].rpartition(":")[2]
    return f"ldconfig ({maker} GLIBC {version}) stable release version {release}"


def _certificates(system: System) -> None:
    tree = system.tree
    path = "etc/ca-certificates.conf"
    configuration = tree.read(path).decode("utf-8", "replace") if _has(system, path) else ""
    packaged = _files(system, _PACKAGED, ".crt")
    trusted = trusted_certificates(configuration, packaged, _files(system, _LOCAL, ".crt"))
    _write(system, f"{_TRUSTED}/ca-certificates.crt", trusted.bundle)
    for name, target in trusted.links.items():
        tree.put(Entry.symlink(f"{_TRUSTED}/{name}", target))
    if "java-keystore" in system.wanted:
        certificates = {}
        for name, target in trusted.links.items():
            if name.endswith(".pem") and (found := _PEM.search(tree.read(tree.real(target)))):
                certificates[f"debian:{name.lower()}"] = base64.b64decode(found[1])
        _write(system, _KEYSTORE, keystore(certificates))


def _pam(system: System) -> None:
    if system.base is not None and system.base.has("etc/pam.d/common-auth"):
        return  # what was chosen there is not known
    profiles = {name: _text(data) for name, data in _files(system, _PROFILES).items()}
    templates = {name: _text(data) for name, data in _files(system, "usr/share/pam").items()}
    for path, text in pam_files(profiles, templates).items():
        _write(system, path, text.encode("utf-8", "surrogateescape"))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _schemas(system: System) -> None:
    from cogn.layers.debian.glib_schemas import compile_schemas  # late: few images have schemas

    if any(path.startswith(f"{_SCHEMAS}/") for path in (system.base.files if system.base else ())):
        return  # their contents are not known
    names = system.tree.names(_SCHEMAS)
    if any(name.endswith(".xml") for name in names):
        compiled = compile_schemas(_files(system, _SCHEMAS))
        _write(system, f"{_SCHEMAS}/gschemas.compiled", compiled.data)


_ACTS: Mapping[str, Callable[[System], None]] = {
    "glib-compile-schemas": _schemas,
    "pam-auth-update": _pam,
}
