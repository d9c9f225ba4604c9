"""System packages on a base that is not ours: made by apt, with CUDA beside it, as NVIDIA's are."""

from __future__ import annotations

import gzip
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from cogn.store.debian import Mirrors
from support.bases import GZIP, BaseImage
from support.containers import podman, run_in
from support.projects import cogn
from support.registry import FakeRegistry

pytestmark = [pytest.mark.network, pytest.mark.podman, pytest.mark.mmdebstrap]

CUDA = "usr/local/cuda-12.4/targets/x86_64-linux/lib"
LIBRARY = "libz.so.1"  # stands for libcudart.so.12: any library will do
EXCLUDED = ("path-exclude=/usr/share/doc/*", "path-include=/usr/share/doc/*/copyright")


@dataclass(frozen=True)
class Release:
    """A release that a base is made of."""

    archive: str
    suites: tuple[str, ...]
    components: str
    python: str
    packages: str

    @property
    def sources(self) -> list[str]:
        options = "[trusted=yes] " if self.archive == "ubuntu" else ""
        sources = []
        for suite in self.suites:
            archive = "debian-security" if suite.endswith("-security") else "debian"
            archive = "ubuntu" if self.archive == "ubuntu" else archive
            root = Mirrors.find().of(archive)[0]
            sources.append(f"deb {options}{root} {suite} {self.components}")
        return sources


BOOKWORM = Release(
    "debian",
    ("bookworm", "bookworm-updates", "bookworm-security"),
    "main",
    "3.11",
    "ffmpeg, git, sox, libgl1, libglib2.0-0, openssh-client",
)
JAMMY = Release(
    "ubuntu",
    ("jammy", "jammy-updates", "jammy-security"),
    "main universe",
    "3.10",
    BOOKWORM.packages,
)
NEEDS_UBUNTU = pytest.mark.skipif(
    "COGN_UBUNTU_MIRROR" not in os.environ, reason="needs a mirror of Ubuntu"
)


@pytest.fixture(
    scope="module",
    params=[BOOKWORM, pytest.param(JAMMY, marks=NEEDS_UBUNTU)],
    ids=["bookworm", "jammy"],
)
def image(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """An image with system packages on such a base, in podman's storage."""
    release: Release = request.param
    directory = tmp_path_factory.mktemp("foreign")
    name = f"cogn-test-{uuid4().hex[:12]}"
    project = directory / name
    project.mkdir()
    (project / "cog.yaml").write_text(
        f"build:\n  python_version: '{release.python}'\n"
        f"  system_packages: [{release.packages}]\nrun: run.py:run\n"
    )
    (project / "run.py").write_text("def run() -> str:\n    return ''\n")
    with FakeRegistry() as registry:
        make_base(release, directory).put(registry)
        (project / "cogn.toml").write_text(f'base = "{registry.host}/team/base:1"\n')
        for command in (["lock"], ["assemble", "--engine", "podman"]):
            ended = cogn(*command, project, cache=Path(os.environ.get("COGN_CACHE", _cache())))
            assert ended.returncode == 0, ended.stderr
    yield f"localhost/{name}:latest"
    podman("rmi", "--force", f"localhost/{name}:latest")


def _cache() -> Path:
    from cogn.store import Cache

    return Cache().root


_MERGED = "for d in bin lib lib64 sbin; do mkdir -p $1/usr/$d && ln -sfn usr/$d $1/$d; done"


def make_base(release: Release, directory: Path) -> BaseImage:
    """Return an image whose system apt and dpkg have installed, and a layer with CUDA's shape."""
    archive = directory / "base.tar"
    setup = (
        f"mkdir -p $1/{CUDA} $1/etc/ld.so.conf.d && "
        f"cp -L $1/usr/lib/x86_64-linux-gnu/{LIBRARY} $1/{CUDA}/{LIBRARY} && "
        f"echo /usr/local/cuda/targets/x86_64-linux/lib > $1/etc/ld.so.conf.d/000_cuda.conf && "
        "chroot $1 update-alternatives --install /usr/local/cuda cuda /usr/local/cuda-12.4 10 && "
        "chroot $1 ldconfig"
    )
    command = [
        *("mmdebstrap", "--quiet", "--mode=root", "--variant=apt"),
        *(f"--dpkgopt={option}" for option in EXCLUDED),
        f"--setup-hook={_MERGED}",
        f"--customize-hook={setup}",
        *("", str(archive), *release.sources),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    data = archive.read_bytes()
    archive.unlink()
    layer = gzip.compress(data, 1)
    return BaseImage([(GZIP, layer, data)])


def shell(image: str, script: str) -> str:
    return run_in(image, "sh", "-euc", script)


def test_its_directories_and_links_stay_as_they_were(image: str) -> None:
    said = shell(image, "readlink /lib /bin /usr/local/cuda; stat -c %a /tmp /root /var/tmp")
    assert said.split() == ["usr/lib", "usr/bin", "/etc/alternatives/cuda", "1777", "700", "1777"]


def test_programs_and_libraries_of_both_are_found(image: str) -> None:
    listed = shell(image, "ldconfig -p")
    assert f"{LIBRARY} (libc6,x86-64) => /usr/local/cuda/targets" in listed
    for library in ("libavcodec.so", "libGL.so.1", "libc.so.6"):
        assert f"\t{library}" in listed, library
    encode = "ffmpeg -loglevel error -f lavfi -i testsrc=d=1:r=10:s=64x48 -c:v libx264 /tmp/a.mp4"
    sound = "sox -n -r 8000 /tmp/a.wav synth 1 sine 440; soxi -D /tmp/a.wav"
    load = f'python -c \'import ctypes; ctypes.CDLL("{LIBRARY}"); ctypes.CDLL("libGL.so.1")\''
    said = shell(
        image, f"{encode}; {sound}; {load}; id; getent hosts localhost; locale; git version"
    )
    assert "1.000000" in said
    assert "uid=0(root)" in said
    assert "LANG=C.UTF-8" in said


def test_dpkg_and_apt_are_content(image: str) -> None:
    assert shell(image, "dpkg --audit; apt-get check >/dev/null") == ""
    # As on the base itself, dpkg misses the documentation that it was told to leave out.
    missing = shell(image, "dpkg -V || true").splitlines()
    assert [line for line in missing if "/usr/share/doc/" not in line] == []
    assert "ffmpeg: /usr/bin/ffmpeg" in shell(image, "dpkg -S /usr/bin/ffmpeg")
    assert "_ssh" in shell(image, "getent group _ssh")
    assert shell(image, "stat -c '%a %G' /usr/bin/ssh-agent").split() == ["2755", "_ssh"]
