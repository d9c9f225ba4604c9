"""The layer that completes a system made of packages: what dpkg and maintainer scripts would do.

Scripts are followed (`cogn.layers.debian.scripts`), not run. Left out on purpose: ``/etc/hosts``,
``/etc/hostname`` and ``/etc/resolv.conf`` belong to the container runtime; bytecode has its own
layers; systemd's units are enabled for no init; caches that save a search (fonts, icons, types of
files) and what belongs to one machine (its identity, keys of hosts, logs) is made where it is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from cogn.layers.content import read_all
from cogn.layers.debian import dpkg
from cogn.layers.debian.deb import DebFile
from cogn.layers.debian.libraries import Library
from cogn.layers.debian.listing import Listing
from cogn.layers.debian.scripts.finish import finish
from cogn.layers.debian.scripts.run import follow
from cogn.layers.debian.scripts.system import Installed, System
from cogn.layers.debian.scripts.tree import Tree
from cogn.layers.debian.scripts.triggers import triggers
from cogn.layers.debian.unpack import open_debs
from cogn.layers.entry import Bytes, Entry, Kind
from cogn.layers.facts import Facts
from cogn.layers.install import INTERPRETER
from cogn.lockfiles import Deb
from cogn.store.images import Rootfs

__all__ = ["fixup_entries"]

_OF_THE_RUNTIME = frozenset({"etc/hostname", "etc/hosts", "etc/resolv.conf"})
_TEMPORARY = ("tmp/", "var/tmp/")
_INTERPRETER = re.compile(r"python3\.\d+-minimal")
_PIP = """\
#!{interpreter}
import os
import sys

sys.path.append({directory!r})
os.environ.setdefault("PIP_BREAK_SYSTEM_PACKAGES", "1")

from pip._internal.cli.main import main

sys.exit(main())
"""
"""pip for the interpreter of Debian, which has none. It sees the model's packages and installs
beside them, which Debian's mark (PEP 668) would forbid. A pip of the model's own comes first."""

_DEPENDENCY = re.compile(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]*)")


def fixup_entries(
    debs: Sequence[tuple[Deb, Path]],
    facts: Facts,
    scratch: Path,
    base: Rootfs | None = None,
    *,
    architecture: str,
    listings: Mapping[str, Listing],
    unrun: Collection[str] = (),
    links: Sequence[tuple[str, str]] = (),
    pip: str | None = None,
) -> list[Entry]:
    """Return the entries of the layer that completes an image made of `debs`, on `base` if given.

    `architecture` is meant in Debian's terms, `listings` has what each package has by its SHA-256,
    `unrun` names the packages whose scripts are left out. `links` lead to the interpreter if it is
    not the distribution's; `pip` is the directory of a pip that gets programs. The entries depend
    on nothing but these. What the base has stays, but for the files that many packages add to,
    which are continued. Raises `ScriptError` for a package whose scripts have an effect that is not
    known, `DebError` for one that is malformed.
    """
    with open_debs(debs, scratch) as packages:
        system = System(
            tree=_tree(debs, packages, facts, base, listings),
            architecture=architecture,
            installed={each.name: each for each in map(_installed, packages)},
            base=base,
        )
        follow(packages, system, unrun)
        finish(system, _libraries(listings, facts))
        entries = [*_made(system.tree), *_unless_there(_programs(system, links, pip), system.tree)]
        if "base-files" in system.installed:
            made = facts.made_links.items()
            entries += [Entry.symlink(path, f"/{target}") for path, target in made]
        by_name = {deb.name: listings[deb.sha256] for deb, _ in debs}
        entries += dpkg.status(packages, by_name, base.status if base else "")
        entries += triggers(packages, base)
    return entries


def _tree(
    debs: Sequence[tuple[Deb, Path]],
    packages: Sequence[DebFile],
    facts: Facts,
    base: Rootfs | None,
    listings: Mapping[str, Listing],
) -> Tree:
    tree = Tree(base)
    hashes = {deb.name: deb.sha256 for deb, _ in debs}
    for package in packages:
        name = package.fields["Package"]
        tree.add(name, listings[hashes[name]].placed(facts), _reader(package, facts))
    if base is None:
        for path, target in {**facts.links, **facts.made_links}.items():
            tree.lay(path, target)
    return tree


def _reader(package: DebFile, facts: Facts) -> Callable[[str], bytes]:
    """Return what reads a file of a package by its real path; only then is it unpacked."""

    @cache
    def files() -> dict[str, Entry]:
        by_path = {entry.path: entry for entry in package.entries}
        return {
            facts.resolve(path): by_path[entry.target] if entry.kind is Kind.HARDLINK else entry
            for path, entry in by_path.items()
            if entry.kind in {Kind.FILE, Kind.HARDLINK}
        }

    return lambda path: read_all(files()[path].content)


def _installed(package: DebFile) -> Installed:
    fields = package.fields
    depends = f"{fields.get('Pre-Depends', '')},{fields.get('Depends', '')}"
    return Installed(
        name=fields["Package"],
        version=fields["Version"],
        architecture=fields["Architecture"],
        depends=tuple(_DEPENDENCY.findall(depends)),
    )


def _libraries(listings: Mapping[str, Listing], facts: Facts) -> dict[str, Library]:
    return {
        path: item.library
        for _, listing in sorted(listings.items())
        for path, item in listing.placed(facts)
        if item.library is not None
    }


def _made(tree: Tree) -> Iterator[Entry]:
    for path, entry in sorted(tree.made.items()):
        if path not in _OF_THE_RUNTIME and not path.startswith(_TEMPORARY):
            yield entry


def _unless_there(entries: Iterable[Entry], tree: Tree) -> Iterator[Entry]:
    return (entry for entry in entries if tree.get(entry.path) is None)


def _programs(system: System, links: Sequence[tuple[str, str]], pip: str | None) -> Iterator[Entry]:
    """Yield what starts the interpreter and pip by their plain names."""
    for path, target in links or _interpreter_names(system):
        yield Entry.symlink(path, target)
    if pip is not None:
        for path in ("usr/local/bin/pip", "usr/local/bin/pip3"):
            program = _PIP.format(interpreter=INTERPRETER, directory=f"/{pip}")
            yield Entry.file(path, Bytes(program.encode()), executable=True)


def _interpreter_names(system: System) -> Iterator[tuple[str, str]]:
    """Yield the plain names of the interpreter, which Debian leaves to the package python3."""
    for name in sorted(system.installed):
        if _INTERPRETER.fullmatch(name):
            for plain in ("usr/local/bin/python", "usr/local/bin/python3"):
                yield plain, f"/usr/bin/{name.removesuffix('-minimal')}"
            return
