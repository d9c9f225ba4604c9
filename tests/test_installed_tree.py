"""What an image has of packages is what dpkg really installs, scripts run and all."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner

from cogn import lockfiles
from cogn.cli.main import cogn
from cogn.layers.debian.filters import OWN_FILTERS
from cogn.store import Cache
from cogn.store.debian import Mirrors, fetch_debs
from cogn.store.http import Fetcher
from support.trees import differences, installed_tree, layout_tree

pytestmark = [pytest.mark.network, pytest.mark.mmdebstrap]

SETS = (
    pytest.param(
        ("git", "openssh-client", "libmagic1", "nginx-light"),
        id="small",
    ),
    pytest.param(
        (
            *("ffmpeg", "build-essential", "graphviz", "tesseract-ocr poppler-utils"),
            *("libsndfile1 sox", "espeak-ng"),
        ),
        id="middle",
        marks=pytest.mark.large,
    ),
    pytest.param(
        ("libgl1 libglib2.0-0", "imagemagick", "python3-opencv", "r-base-core"),
        id="large",
        marks=pytest.mark.large,
    ),
    pytest.param(("default-jre-headless",), id="java", marks=pytest.mark.large),
)
"""Sets of packages that go together into one system, to have all of them in a few."""

ALLOWED = (
    # what mmdebstrap itself writes, and what belongs to the container runtime
    *("dev/*", "etc/fstab", "etc/hostname", "etc/hosts", "etc/resolv.conf"),
    *("etc/apt/sources.list*", "etc/apt/preferences.d", "etc/dpkg/dpkg.cfg.d/99mmdebstrap"),
    "var/lib/dpkg/arch",
    # backups, locks and logs
    *("etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/.pwd.lock"),
    *("var/lib/dpkg/*-old", "var/lib/dpkg/lock*", "*.dpkg-old"),
    *("var/lib/dpkg/triggers/Lock", "var/lib/dpkg/triggers/Unincorp"),
    *("var/lib/ucf/*", "var/log/*", "var/cache/debconf/*"),
    # caches, which are made where they are used; bytecode has its own layers
    *("*/__pycache__", "*/__pycache__/*", "*.pyc", "usr/share/mime/*", "var/cache/fontconfig/*"),
    *("var/cache/apt*", "var/lib/apt*", "usr/share/icons/*/icon-theme.cache"),
    # fixed ids, and fixed dates of passwords: names are compared everywhere
    *("etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"),
    # without the files that are left out
    *("var/lib/dpkg/info/*.list", "var/lib/dpkg/info/*.md5sums"),
    # the directories of left out documentation, and alternatives that are manual pages
    *("usr/share/doc/*", "usr/share/man", "usr/share/man/*", "etc/alternatives/*.gz"),
    # there is no init, and no identity of one machine
    *("etc/rc?.d*", "etc/systemd/system/*", "etc/systemd/user/*", "var/lib/systemd/*"),
    *("etc/machine-id", "var/lib/dbus/machine-id", "etc/ssh/ssh_host_*", "run/*"),
    # the certificates in another order, with other dates
    "etc/ssl/certs/java/cacerts",
    # cogn's own
    *("usr/local/bin/python", "usr/local/bin/python3", "usr/local/bin/pip", "usr/local/bin/pip3"),
    "usr/local/lib/python3.13/dist-packages/cogn.pth",
)
"""Patterns of paths that may differ."""


def differing(names: list[str], tmp_path: Path) -> list[str]:
    """Return what is not the same in an image and on a system with these packages."""
    project = tmp_path / "model"
    project.mkdir()
    (project / "cog.yaml").write_text(
        f"build:\n  python_version: '3.13'\n  system_packages: [{', '.join(names)}]\n"
        "run: run.py:run\n"
    )
    (project / "cogn.toml").write_text("bytecode = false\n")
    (project / "run.py").write_text("def run() -> str:\n    return ''\n")
    layout = tmp_path / "image"
    for command in (["lock", str(project)], ["assemble", str(project), "-o", f"oci:{layout}"]):
        result = CliRunner().invoke(cogn, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    environment = lockfiles.read(project / "cogn.lock").environments["linux/amd64"]
    mirrors = Mirrors.find()

    async def fetched() -> list[Path]:
        async with Fetcher.open(Cache()) as fetcher:
            return await fetch_debs(
                environment.debs, environment.base.archives, fetcher=fetcher, mirrors=mirrors
            )

    debs = list(zip(environment.debs, anyio.run(fetched), strict=True))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    options = [
        f"path-{'include' if is_taken else 'exclude'}={pattern}"
        for pattern, is_taken in OWN_FILTERS.rules
    ]
    sources = [
        f"deb {mirrors.of(archive.name)[0]} {archive.suite} {' '.join(archive.components)}"
        for archive in environment.base.archives
    ]
    theirs = installed_tree(debs, sources, scratch, options)
    left_out = ("server", "source", "wheels", "pip", "bytecode of pip")
    ours = layout_tree(layout, lambda name: not name.startswith(left_out))
    return differences(ours, theirs, ALLOWED)


@pytest.mark.parametrize("sets", SETS)
def test_an_image_has_what_dpkg_installs(sets: tuple[str, ...], tmp_path: Path) -> None:
    names = [name for each in sets for name in each.split()]
    assert differing(names, tmp_path) == []
