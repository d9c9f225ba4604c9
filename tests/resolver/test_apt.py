"""Closures of real packages, with apt as the oracle: what it would install of the same archives."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import anyio
import pytest

from cogn.resolver.base import BASE_PACKAGES
from cogn.resolver.debian import Universe
from cogn.resolver.releases import Release
from cogn.resolver.solver import closure
from cogn.store import Cache
from cogn.store.debian import Mirrors, Package, open_suite
from cogn.store.http import Fetcher
from support.debian import stanza

TRIXIE = Release("debian", "trixie")
BOOKWORM = Release("debian", "bookworm")
NOBLE = Release("ubuntu", "noble")

SETS = (
    "ffmpeg",
    "git",
    "libgl1 libglib2.0-0",
    "libsndfile1 sox",
    "build-essential",
    "python3-opencv",
    "imagemagick",
    "tesseract-ocr poppler-utils",
    "espeak-ng",
    "libmagic1",
    "openssh-client",
    "graphviz",
    "r-base-core",
    "default-jre-headless",
    "nginx-light",
    "curl wget unzip",
    "cmake ninja-build pkg-config",
    "libsm6 libxext6 libxrender1",
    "libpq-dev postgresql-client",
    "portaudio19-dev",
    "libopenblas-dev",
    "liblapack-dev gfortran",
    "rsync aria2 jq",
    "vim-tiny nano tmux htop procps",
    "ffmpeg libavcodec-extra",
    "gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-libav gstreamer1.0-tools",
    "libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev",
    "libheif-dev",
    "libvips libvips-dev",
    "libreoffice-core libreoffice-writer",
    "chromium chromium-driver",
    "xvfb mesa-utils libegl1",
    "fonts-noto-core fontconfig",
    "libcairo2-dev",
    "libturbojpeg0",
    "swig protobuf-compiler",
    "nodejs npm",
    "libopencv-dev libgtk-3-0",
    "python3-numpy python3-scipy python3-dev",
    "texlive-latex-base pandoc",
)
"""What the ``system_packages`` of Cog models ask for."""

RECOMMENDED = ("ffmpeg", "git", "imagemagick", "openssh-client", "build-essential", "graphviz")
OTHER_RELEASES = (
    "ffmpeg",
    "git curl wget build-essential",
    "libgl1 libglib2.0-0 libsndfile1 sox",
    "imagemagick poppler-utils default-jre-headless",
    "python3-opencv",
)


class Apt:
    """apt-get with the archives of a release, in a root of its own."""

    def __init__(self, release: Release, root: Path) -> None:
        if shutil.which("apt-get") is None:
            pytest.skip("apt-get is the oracle")
        self._root = root
        for directory in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/lib/dpkg"):
            (root / directory).mkdir(parents=True)
        for directory in ("var/lib/apt/lists/partial", "var/cache/apt/archives/partial"):
            (root / directory).mkdir(parents=True)
        mirrors = Mirrors.find()
        sources = []
        for suite in release.suites("amd64"):
            if not mirrors.of(suite.archive):
                pytest.skip(f"no mirror of the archive `{suite.archive}` is configured here")
            components = " ".join(suite.components)
            place = f"{mirrors.of(suite.archive)[0]} {suite.name} {components}"
            sources.append(f"deb [trusted=yes] {place}\n")
        (root / "etc/apt/sources.list").write_text("".join(sources))
        (root / "var/lib/dpkg/status").touch()
        (root / "apt.conf").write_text(
            f'Dir "{root}";\nDir::State::status "{root}/var/lib/dpkg/status";\n'
            'APT::Architecture "amd64";\nAPT::Architectures { "amd64"; };\n'
            'APT::Sandbox::User "root";\nAcquire::Languages "none";\n'
        )
        self._environment = os.environ | {"APT_CONFIG": str(root / "apt.conf"), "LC_ALL": "C"}
        subprocess.run(["apt-get", "-qq", "update"], env=self._environment, check=True)

    def installed(
        self, wanted: Iterable[str], given: Iterable[Package], *, recommends: bool
    ) -> dict[str, str]:
        """Return the packages, with versions, that apt would add to those given."""
        there = {package.name: stanza(package) for package in given}
        status, text = self._root / "var/lib/dpkg/status", "\n".join(there.values())
        if status.read_text() != text:  # apt reads everything anew when the file is written
            status.write_text(text)
        option = f"--{'' if recommends else 'no-'}install-recommends"
        listed = subprocess.run(
            ["apt-get", "install", "--yes", "--print-uris", option, *wanted],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert listed.returncode == 0, listed.stdout + listed.stderr
        added = {}
        for line in listed.stdout.splitlines():
            if line.startswith("'"):
                name, version, _ = line.split()[1].split("_")
                # What is there is fetched too, as apt takes it for another build of the version.
                if name not in there:
                    added[name] = version.replace("%3a", ":")
        return added


Apts = Callable[[Release], Apt]


@pytest.fixture(scope="module")
def apt(tmp_path_factory: pytest.TempPathFactory) -> Apts:
    return cache(lambda release: Apt(release, tmp_path_factory.mktemp(release.codename)))


@cache
def universe(release: Release) -> Universe:
    """Return what a release offers, by way of the shared cache."""

    async def load() -> Universe:
        async with Fetcher.open(Cache()) as fetcher:
            suites = []
            for suite in release.suites("amd64"):
                opened = await open_suite(suite, fetcher=fetcher, mirrors=Mirrors.find())
                suites.append((suite.archive, await opened.packages("amd64")))
            return Universe(suites)

    return anyio.run(load)


@cache
def base(release: Release) -> list[Package]:
    return [each.package for each in closure(BASE_PACKAGES, universe(release))]


def check(apt: Apt, release: Release, wanted: str, *, on_base: bool, recommends: bool) -> None:
    known = universe(release)
    names = [*wanted.split(), *known.essential]
    given = base(release) if on_base else []
    expected = apt.installed(names, given, recommends=recommends)
    found = {
        each.package.name: each.package.version
        for each in closure(names, known, given=given, recommends=recommends)
    }
    more, less = sorted(found.keys() - expected.keys()), sorted(expected.keys() - found.keys())
    assert (more, less) == ([], [])
    assert found == expected


@pytest.mark.network
@pytest.mark.parametrize("wanted", SETS)
def test_the_closure_is_what_apt_would_install(wanted: str, apt: Apts) -> None:
    check(apt(TRIXIE), TRIXIE, wanted, on_base=True, recommends=False)


@pytest.mark.network
@pytest.mark.parametrize("wanted", SETS[::8])
def test_so_it_is_in_an_empty_system(wanted: str, apt: Apts) -> None:
    check(apt(TRIXIE), TRIXIE, wanted, on_base=False, recommends=False)


@pytest.mark.network
@pytest.mark.parametrize("wanted", RECOMMENDED)
def test_so_it_is_with_recommendations(wanted: str, apt: Apts) -> None:
    check(apt(TRIXIE), TRIXIE, wanted, on_base=True, recommends=True)


@pytest.mark.network
@pytest.mark.parametrize("release", [BOOKWORM, NOBLE], ids=str)
def test_so_it_is_in_other_releases(release: Release, apt: Apts) -> None:
    for wanted in OTHER_RELEASES:
        check(apt(release), release, wanted, on_base=True, recommends=False)
