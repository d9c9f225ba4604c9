"""Real bases of real packages, against what dpkg's own tools take out of them."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import anyio
import pytest

from cogn.layers.bytecode import open_bytecode
from cogn.layers.contents import contents
from cogn.layers.entry import Kind
from cogn.layers.facts import debian_facts
from cogn.layers.recipe import PackagesRecipe
from cogn.lockfiles import Base
from cogn.report import Reporter
from cogn.resolver.composition import SystemRequest
from cogn.resolver.system import lock_system
from cogn.store import Cache
from cogn.store.debian import Mirrors, fetch_debs
from cogn.store.http import Fetcher
from support.layers import Written, write_layer

pytestmark = pytest.mark.network

_DPKG = "var/lib/dpkg/info/"

Members = dict[str, tuple[object, ...]]


def base_of(suite: str, python: str) -> tuple[Base, Mapping[str, Path]]:
    """Return the base of a release, and the files of its packages by hash."""

    async def run() -> tuple[Base, Mapping[str, Path]]:
        async with Fetcher.open(Cache()) as fetcher:
            mirrors = Mirrors.find()
            system = await lock_system(
                SystemRequest(python_version=python, suite=suite),
                platform="linux/amd64",
                previous=None,
                upgrade=False,
                fetcher=fetcher,
                mirrors=mirrors,
                reporter=Reporter(),
            )
            base = system.base
            paths = await fetch_debs(base.debs, base.archives, fetcher=fetcher, mirrors=mirrors)
        return base, {deb.sha256: path for deb, path in zip(base.debs, paths, strict=True)}

    return anyio.run(run)


def members(tar: bytes) -> Members:
    """Return what an archive has by path: kinds, metadata and contents."""
    found: Members = {}
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        for member in archive:
            # Which of two hard links is the file does not matter.
            file = archive.extractfile(member) if member.isreg() or member.islnk() else None
            what = member.linkname if file is None else hashlib.sha256(file.read()).hexdigest()
            kind = tarfile.REGTYPE if member.islnk() else member.type
            owned = member.mode & 0o7777, member.uid, member.gid
            path = member.name.removeprefix("./").rstrip("/")
            found[path] = (kind, *owned, member.mtime, what)
    return found


@pytest.mark.parametrize(("suite", "python"), [("trixie", "3.13"), ("bookworm", "3.11")])
def test_a_base_has_what_dpkg_takes_out_of_its_packages(
    suite: str, python: str, tmp_path: Path
) -> None:
    base, files = base_of(suite, python)
    recipe = PackagesRecipe(
        name="base", architecture="amd64", is_base=True, base=base, debs=base.debs
    )
    cache = Cache(tmp_path)
    with (
        open_bytecode(files, cache, 1) as bytecode,
        contents(recipe, files, bytecode, cache) as (entries, facts),
    ):
        layer: Written = write_layer(entries, facts)
    ours = {path: each for path, each in members(layer.tar).items() if _DPKG not in path}
    theirs: Members = {}
    facts = debian_facts(suite, "amd64")
    for deb in sorted(base.debs, key=lambda deb: deb.name):
        command = ["dpkg-deb", "--fsys-tarfile", str(files[deb.sha256])]
        archive = subprocess.run(command, capture_output=True, check=True).stdout
        for path, each in members(archive).items():
            kind = Kind.DIRECTORY if each[0] == tarfile.DIRTYPE else Kind.FILE
            if path in {"", "."} or facts.filters.leaves_out(path, kind):
                continue
            real = facts.resolve(path) if kind is Kind.FILE else facts.resolve_directory(path)
            theirs.setdefault(real, each)
    made = facts.links.keys() if suite == "bookworm" else set()
    added = ours.keys() - theirs.keys()
    assert {path for path in added if ours[path][0] != tarfile.DIRTYPE} == made
    assert {path: ours.get(path) for path in theirs} == theirs
