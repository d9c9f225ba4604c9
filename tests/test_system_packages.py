"""System packages in a running image: programs work, and dpkg and apt find all as they left it."""

from __future__ import annotations

import functools
import http.server
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from cogn.cli.main import cogn
from cogn.store.debian import Mirrors
from support.certificates import Authority
from support.containers import podman, run_in

pytestmark = [pytest.mark.network, pytest.mark.podman]

PACKAGES = "ffmpeg, git, sox, libgl1, libglib2.0-0, openssh-client, mtr-tiny, libcap2-bin, apt"
CONFIG = f"""\
build:
  python_version: "3.13"
  python_packages: ["opencv-python==4.12.0.88"]
  system_packages: [{PACKAGES}]
run: run.py:run
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image with packages that models ask for, in podman's storage."""
    project = tmp_path_factory.mktemp("system") / "model"
    project.mkdir()
    (project / "cog.yaml").write_text(CONFIG)
    (project / "run.py").write_text("def run() -> str:\n    return ''\n")
    for command in (["lock"], ["assemble", "--engine", "podman"]):
        result = CliRunner().invoke(cogn, [*command, str(project)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    yield "localhost/model:latest"
    podman("rmi", "--force", "localhost/model:latest")


def shell(image: str, script: str, *options: str) -> str:
    """Run a script in a new container; return what it prints."""
    return run_in(image, "sh", "-euc", script, options=options)


def test_ffmpeg_encodes_a_second_of_video_and_opencv_reads_it(image: str) -> None:
    encode = "ffmpeg -loglevel error -f lavfi -i testsrc=d=1:r=10:s=64x48 -c:v libx264 /tmp/a.mp4"
    count = (
        "import cv2; video = cv2.VideoCapture('/tmp/a.mp4');"
        "print(sum(video.read()[0] for _ in range(20)))"
    )
    assert shell(image, f'{encode}; python -c "{count}"') == "10\n"


def test_sox_makes_a_sound(image: str) -> None:
    made = shell(image, "sox -n -r 8000 /tmp/a.wav synth 1 sine 440; soxi -D /tmp/a.wav")
    assert float(made) == 1.0


def test_git_clones_from_a_directory_and_over_https_with_the_systems_certificates(
    image: str, tmp_path: Path
) -> None:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q", "repository")
    (tmp_path / "repository" / "file").write_text("content\n")
    git("-C", "repository", "add", "file")
    git("-C", "repository", "commit", "-qm", "first")
    git("clone", "-q", "--bare", "repository", "served.git")
    git("-C", "served.git", "update-server-info")
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("server"))
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    url = f"https://127.0.0.1:{server.server_port}/served.git"
    script = f"""
        git clone -q file:///repository.git /tmp/a && cat /tmp/a/file
        git clone -q {url} /tmp/b 2>/dev/null && echo cloned || echo refused
        cp /authority.crt /usr/local/share/ca-certificates/
        update-ca-certificates >/dev/null 2>&1
        git clone -q {url} /tmp/c && cat /tmp/c/file
    """
    options = (
        *("--volume", f"{tmp_path}/served.git:/repository.git:ro"),
        *("--volume", f"{authority.certificate}:/authority.crt:ro"),
        *("--env", "GIT_CONFIG_COUNT=1", "--env", "GIT_CONFIG_KEY_0=safe.directory"),
        *("--env", "GIT_CONFIG_VALUE_0=*"),
    )
    try:
        said = shell(image, script, *options).splitlines()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert said == ["content", "refused", "content"]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def test_the_systems_own_tools_find_what_they_need(image: str) -> None:
    said = shell(image, "locale; id; getent hosts localhost; getent group _ssh; ldconfig -p")
    assert "LANG=C.UTF-8" in said
    assert "uid=0(root) gid=0(root)" in said
    assert "localhost" in said
    assert "\n_ssh:x:" in said
    for library in ("libavcodec.so.61 ", "libGL.so.1 ", "libc.so.6 ", "libblas.so.3 "):
        assert f"\t{library}(libc6,x86-64) => /" in said, library


def test_programs_have_the_capabilities_that_their_scripts_give_them(image: str) -> None:
    assert shell(image, "getcap /usr/bin/mtr-packet") == "/usr/bin/mtr-packet cap_net_raw=ep\n"


def test_dpkg_and_apt_are_content(image: str) -> None:
    assert shell(image, "dpkg -V; dpkg --audit; apt-get check >/dev/null") == ""
    listed = shell(image, "dpkg -l | grep -c '^ii'; dpkg -S /usr/bin/ffmpeg; apt-mark showmanual")
    assert int(listed.split()[0]) > 150
    assert "ffmpeg: /usr/bin/ffmpeg" in listed
    assert "\nffmpeg\n" in listed


def test_apt_installs_and_removes_a_further_package(image: str, tmp_path: Path) -> None:
    (root, *_) = Mirrors.find().of("debian")
    sources = tmp_path / "debian.sources"
    key = "/usr/share/keyrings/debian-archive-keyring.gpg"
    sources.write_text(
        f"Types: deb\nURIs: {root}\nSuites: trixie\nComponents: main\nSigned-By: {key}\n"
    )
    script = """
        apt-get update -qq && apt-get install -y -qq --no-install-recommends hello >/dev/null 2>&1
        hello && dpkg -V && apt-get remove -y -qq ffmpeg >/dev/null 2>&1
        command -v ffmpeg || echo gone
    """
    mount = ("--volume", f"{sources}:/etc/apt/sources.list.d/debian.sources:ro")
    assert shell(image, script, *mount) == "Hello, world!\ngone\n"


def test_the_history_names_the_layers_of_packages(image: str) -> None:
    (inspected,) = json.loads(podman("image", "inspect", image))
    names = [step["created_by"] for step in inspected["History"]]
    assert any(name.startswith("cogn: ffmpeg ") for name in names)
    assert "cogn: system packages" in names
