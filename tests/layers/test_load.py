"""Loading into engines: podman as it is here and as a service, docker where there is one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import pytest

from cogn.layers.build import Builder
from cogn.layers.errors import LayerError
from cogn.layers.image import Image
from cogn.layers.load import Engine, EngineName, find_engine, load
from cogn.report import Reporter, Task
from support.containers import podman
from support.images import blob_of, build_image, make_builder, rot
from support.servers import wait_until


class Journal(Reporter):
    """Keeps what was sent."""

    def __init__(self) -> None:
        self.loaded: list[str] = []

    def task(self, verb: str, name: str, total: int | None = None) -> Task:
        if verb == "Loading":
            self.loaded.append(name)
        return Task()


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def builder(tmp_path: Path, journal: Journal) -> Builder:
    return make_builder(tmp_path / "cache", reporter=journal)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Iterator[str]:
    """A name that no other image has; podman's image of that name goes after the test."""
    name = f"cogn-test/{uuid4().hex[:12]}:1"
    yield name
    if request.node.get_closest_marker("podman"):
        subprocess.run(["podman", "rmi", "--force", name], capture_output=True, check=False)


def find(wanted: EngineName | None = None) -> Engine:
    return anyio.run(find_engine, wanted)


def load_one(builder: Builder, engine: Engine, name: str, text: bytes = b"text") -> Image:
    image, names = build_image(builder, text)
    anyio.run(load, [image], names, builder, engine, name)
    return image


def inspect(program: str, name: str) -> dict[str, Any]:
    command = [program, "image", "inspect", name]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    (inspected,) = json.loads(ended.stdout)
    return dict(inspected)


def assert_loaded(image: Image, name: str) -> None:
    """Check that podman has this image, unchanged, and under no other name."""
    found = inspect("podman", name)
    assert f"sha256:{found['Id']}" == image.config.digest
    assert found["Digest"] == image.digest
    assert found["RootFS"]["Layers"] == [layer.diff_id for layer in image.layers]
    assert found["RepoTags"] == [f"localhost/{name}"]


@pytest.mark.podman
def test_podman_gets_the_image_with_its_digests(builder: Builder, name: str) -> None:
    engine = find("podman")
    assert engine.is_local
    assert_loaded(load_one(builder, engine, name, name.encode()), name)


@pytest.mark.podman
def test_podman_reads_no_layer_that_it_has(builder: Builder, name: str) -> None:
    engine = find("podman")
    first = load_one(builder, engine, name, name.encode())
    rot(blob_of(builder, first.layers[0]))
    second = load_one(builder, engine, name, f"{name} changed".encode())
    podman("rmi", first.config.digest.removeprefix("sha256:"))  # it has no name any more
    assert first.layers[0] == second.layers[0]
    assert_loaded(second, name)


@pytest.mark.podman
def test_podman_elsewhere_gets_the_same_image_through_a_pipe(
    builder: Builder, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = tmp_path / "podman.sock"
    with running("podman", "system", "service", "--time=0", f"unix://{socket}"):
        wait_until(socket.exists, "podman's service")
        monkeypatch.setenv("CONTAINER_HOST", f"unix://{socket}")
        engine = find("podman")
        assert not engine.is_local
        image = load_one(builder, engine, name, name.encode())
        monkeypatch.delenv("CONTAINER_HOST")
    assert_loaded(image, name)


@pytest.mark.podman
def test_an_image_that_is_there_is_not_made_again(
    builder: Builder, journal: Journal, name: str
) -> None:
    engine = find("podman")
    image = load_one(builder, engine, name)
    assert journal.loaded == [f"{name} into podman"]
    blobs = [blob_of(builder, layer) for layer in image.layers]
    for blob in blobs:
        blob.unlink()
    assert load_one(builder, engine, name) == image
    assert journal.loaded == [f"{name} into podman"]
    assert not any(blob.exists() for blob in blobs)


@pytest.mark.podman
def test_what_podman_refuses_is_said_in_its_words(builder: Builder, name: str) -> None:
    image, names = build_image(builder, name.encode())
    rot(blob_of(builder, image.layers[1]))
    with pytest.raises(LayerError, match=r"^`podman pull .*` failed: Error: .*blob"):
        anyio.run(load, [image], names, builder, find("podman"), name)


# docker: a real engine where one can be started, and scripts for what it does not do on demand.


@contextmanager
def running(*command: str) -> Iterator[None]:
    """Run a program in the background."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


@pytest.mark.skipif(not (shutil.which("docker") and shutil.which("dockerd")), reason="no dockerd")
@pytest.mark.parametrize("snapshotter", [False, True], ids=["graph-driver", "containerd"])
def test_docker_gets_the_image_with_its_digests(
    builder: Builder,
    journal: Journal,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    snapshotter: bool,
) -> None:
    socket = f"unix://{tmp_path}/docker.sock"
    settings = {
        "features": {"containerd-snapshotter": snapshotter},
        "data-root": str(tmp_path / "data"),
        "exec-root": str(tmp_path / "exec"),
        "pidfile": str(tmp_path / "pid"),
        "hosts": [socket],
        "bridge": "none",
        "iptables": False,
        "ip6tables": False,
    }
    (tmp_path / "daemon.json").write_text(json.dumps(settings))
    monkeypatch.setenv("DOCKER_HOST", socket)
    with running("dockerd", "--config-file", str(tmp_path / "daemon.json")):
        wait_until(answers, "dockerd")
        engine = find()
        assert engine.name == "docker"
        images = [load_one(builder, engine, name) for _ in range(2)]
        found = inspect("docker", name)
    assert journal.loaded == [f"{name} into docker"]
    assert found["Id"] == (images[0].digest if snapshotter else images[0].config.digest)
    assert found["RootFS"]["Layers"] == [layer.diff_id for layer in images[0].layers]
    assert found["RepoTags"] == [name]


def answers() -> bool:
    return subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0


@pytest.fixture
def fake_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program `docker` that keeps what it is given and answers with what it finds here."""
    directory = tmp_path / "fake"
    directory.mkdir()
    script = directory / "docker"
    script.write_text(
        f"""#!/bin/sh
cd '{directory}'
case $1 in
version) echo 26.1.5 ;;
image) cat id 2>&- || exit 1 ;;
load) cat >archive.tar ;;
esac
"""
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return directory


def test_docker_gets_an_archive_that_both_its_image_stores_read(
    builder: Builder, fake_docker: Path, tmp_path: Path
) -> None:
    image = load_one(builder, find(), "hello:1")
    with tarfile.open(fake_docker / "archive.tar") as archive:
        archive.extractall(tmp_path / "layout", filter="data")
    layout = tmp_path / "layout"
    (named,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    assert named["digest"] == image.digest
    assert "docker.io/library/hello:1" in named["annotations"].values()
    (manifest,) = json.loads((layout / "manifest.json").read_bytes())
    assert manifest["RepoTags"] == ["docker.io/library/hello:1"]
    assert (layout / manifest["Config"]).read_bytes() == image.config.data
    assert [layout / path for path in manifest["Layers"]] == [
        layout / "blobs" / layer.digest.replace(":", "/") for layer in image.layers
    ]
    for path, layer in zip(manifest["Layers"], image.layers, strict=True):
        assert (layout / path).read_bytes() == blob_of(builder, layer).read_bytes()


@pytest.mark.parametrize("which", ["config", "manifest"])
def test_docker_is_asked_by_either_digest(
    builder: Builder, journal: Journal, fake_docker: Path, which: str
) -> None:
    image, _ = build_image(builder)
    (fake_docker / "id").write_text(f"{getattr(image, which).digest}\n")
    load_one(builder, find("docker"), "hello:1")
    assert journal.loaded == []
    load_one(builder, find("docker"), "hello:1", b"changed")
    assert journal.loaded == ["hello:1 into docker"]


def test_an_engine_that_ends_before_it_has_all_is_an_error_in_its_words(
    builder: Builder, fake_docker: Path
) -> None:
    script = fake_docker / "docker"
    lines = "; ".join(f"echo line {number} >&2" for number in range(9))
    script.write_text(script.read_text().replace("cat >archive.tar", f"{lines}; exit 3"))
    with pytest.raises(LayerError) as raised:
        load_one(builder, find("docker"), "hello:1")
    assert raised.value.message == "`docker load --quiet` failed: line 6\nline 7\nline 8"


def test_several_platforms_are_refused(builder: Builder, fake_docker: Path) -> None:
    image, names = build_image(builder)
    with pytest.raises(LayerError, match="docker holds the image of one platform"):
        anyio.run(load, [image, image], names, builder, find(), "hello:1")


@pytest.mark.podman
def test_podman_is_found_where_docker_has_no_engine(fake_docker: Path) -> None:
    assert find().name == "docker"
    (fake_docker / "docker").write_text("#!/bin/sh\nexit 1\n")
    assert find().name == "podman"


def test_without_an_engine_the_error_says_what_each_lacks(
    fake_docker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (fake_docker / "docker").write_text("#!/bin/sh\necho Cannot connect. >&2\nexit 1\n")
    monkeypatch.setenv("PATH", str(fake_docker))
    with pytest.raises(LayerError) as raised:
        find()
    assert raised.value.message == (
        "there is no container engine to load the image into: "
        "`docker` does not answer (Cannot connect.); "
        "`podman` cannot be started (No such file or directory)"
    )
    assert "docker-archive" in str(raised.value.hint)
    with pytest.raises(LayerError, match=r"into: `podman` cannot be started \("):
        find("podman")
