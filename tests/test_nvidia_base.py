"""An image of NVIDIA's as the base: locked from a mirror, mounted, run, and outlived."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from cogn import lockfiles
from cogn.lockfiles import ImageBase
from support.bases import real_base
from support.containers import podman, run_in, running_container
from support.locks import AMD64
from support.nvidia import (
    CUDA,
    ENTRYPOINT,
    ENVIRONMENT,
    LABELS,
    LIBRARIES,
    nvidia_image,
    nvidia_shape,
    push_index,
)
from support.projects import cache_of_inputs, cogn, digest_of
from support.servers import free_port, running_registry, wait_until
from support.wheels import make_wheel

pytestmark = [pytest.mark.network, pytest.mark.podman, pytest.mark.registry]

TAG = "12.4.1-cudnn-runtime-ubuntu22.04"
RUNTIME = "nvidia-cuda-runtime-cu12"
SETTINGS = """\
base = "nvidia/cuda:{tag}"
[registries."docker.io"]
mirrors = ["{host}"]
[registries."{host}"]
insecure = true
"""
MODEL = """\
build: {gpu: true, python_version: '3.13', python_requirements: requirements.txt}
run: run.py:run
"""


class Shop:
    """A model for GPUs on an image of NVIDIA's, and a registry that mirrors and takes images."""

    def __init__(self, directory: Path, host: str) -> None:
        self.directory = directory / "model"
        self.host = host
        self.cache = directory / "cache"
        self.repositories = directory / "data" / "docker" / "registry" / "v2" / "repositories"
        self._log = directory / "registry.log"
        self.directory.mkdir()
        wheels = self.directory / "wheels"
        wheels.mkdir()
        tag = "py3-none-manylinux2014_x86_64"
        files = {"nvidia/cuda_runtime/__init__.py": ""}
        make_wheel(wheels, files, name=RUNTIME.replace("-", "_"), version="12.4.999", tag=tag)
        for name, text in {
            "cog.yaml": MODEL,
            "cogn.toml": SETTINGS.format(tag=TAG, host=host),
            "requirements.txt": f"{RUNTIME}==12.4.999\n",
            "run.py": "def run(name: str) -> str:\n    return f'hello {name}'\n",
            "uv.toml": 'find-links = ["wheels"]\n',
        }.items():
            (self.directory / name).write_text(text)

    @property
    def locked(self) -> ImageBase:
        base = lockfiles.read(self.directory / "cogn.lock").environments[AMD64].base
        assert isinstance(base, ImageBase)
        return base

    def lock(self, *options: str) -> str:
        ended = cogn("lock", self.directory, *options, cache=self.cache)
        assert ended.returncode == 0, ended.stderr
        cache_of_inputs(lockfiles.read(self.directory / "cogn.lock"), self.cache)
        return ended.stderr

    def push(self, name: str) -> str:
        reference = f"{self.host}/models/{name}"
        return digest_of(cogn("assemble", self.directory, "--push", reference, cache=self.cache))

    def requests(self) -> list[tuple[str, str]]:
        """Method and path of the requests since the last call."""
        text = self._log.read_text()
        self._log.write_text("")
        return re.findall(r'"([A-Z]+) (\S+) HTTP/1\.1"', text)

    def fetched(self) -> list[str]:
        """The layers of the base that were fetched since the last call."""
        digests = {layer.digest for layer in self.locked.layers}
        paths = [path for method, path in self.requests() if method == "GET"]
        return [path.rpartition("/")[2] for path in paths if path.rpartition("/")[2] in digests]


@pytest.fixture(scope="module")
def shop(locked: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    directory = tmp_path_factory.mktemp("shop")
    hello = lockfiles.read(locked["hello"] / "cogn.lock").environments[AMD64]
    image = nvidia_image(real_base(hello), tmp_path_factory.mktemp("root"))
    other = nvidia_shape([archive for _, _, archive in image.layers[-1:]], "arm64")
    images = {"linux/arm64": other, "linux/amd64": image}
    with running_registry(directory, log=directory / "registry.log") as host:
        push_index(host, "nvidia/cuda", TAG, images)
        made = Shop(directory, host)
        made.requests()
        made.lock()
        yield made


@pytest.fixture(scope="module")
def image(shop: Shop) -> Iterator[str]:
    """The model in podman's storage, pulled from the registry."""
    shop.push("gpu:1")
    name = f"localhost/cogn-test-{uuid4().hex[:12]}"
    pulled = podman("pull", "--quiet", "--tls-verify=false", f"{shop.host}/models/gpu:1").strip()
    podman("tag", pulled, name)
    yield name
    podman("rmi", "--force", pulled)


def test_the_lock_has_all_of_it_and_each_layer_was_read_once(shop: Shop) -> None:
    base = shop.locked
    assert sorted(shop.fetched()) == sorted(layer.digest for layer in base.layers)
    assert base.reference == f"docker.io/nvidia/cuda:{TAG}"
    assert base.index is not None
    assert {layer.media_type for layer in base.layers} == {
        "application/vnd.oci.image.layer.v1.tar+gzip"
    }
    assert base.environment == tuple(f"{name}={value}" for name, value in ENVIRONMENT.items())
    assert base.labels == LABELS
    assert "cuda-cudart-12-4" not in {deb.name for deb in base.debs}
    before = (shop.directory / "cogn.lock").read_bytes()
    assert "is up to date" in shop.lock()
    assert (shop.directory / "cogn.lock").read_bytes() == before
    shop.lock("--upgrade")
    assert shop.fetched() == []


def test_it_is_mounted_from_the_mirror_and_no_layer_of_it_is_fetched(shop: Shop) -> None:
    shop.requests()
    digest = shop.push("mounted:1")
    requests = shop.requests()
    digests = [layer.digest for layer in shop.locked.layers]
    assert not [path for method, path in requests if method == "GET" and "/blobs/" in path]
    mounts = [path for method, path in requests if method == "POST" and "from=nvidia" in path]
    assert len(mounts) == len(digests)
    url = f"http://{shop.host}/v2/models/mounted/manifests/{digest}"
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    manifest = json.loads(httpx.get(url, headers=accept).content)
    assert [each["digest"] for each in manifest["layers"]][: len(digests)] == digests
    assert {each["mediaType"] for each in manifest["layers"]} == {
        "application/vnd.oci.image.layer.v1.tar+gzip"
    }
    for each in digests:
        blob = f"http://{shop.host}/v2/models/mounted/blobs/{each}"
        assert httpx.head(blob).status_code == 200


def test_its_variables_and_labels_are_carried_over(image: str) -> None:
    said = dict(line.split("=", 1) for line in run_in(image, "env").splitlines())
    expected = {name: value for name, value in ENVIRONMENT.items() if name != "PATH"}
    assert said | expected == said
    assert said["PATH"].endswith(":/bin:/usr/local/nvidia/bin:/usr/local/cuda/bin")
    (inspected,) = json.loads(podman("image", "inspect", image))
    labels = inspected["Config"]["Labels"]
    assert labels | LABELS == labels
    assert labels["run.cog.has_init"] == "true"


def test_what_it_brings_works_as_before(image: str) -> None:
    script = f"probe; readlink -f /usr/local/cuda /usr/local/cuda-12; {ENTRYPOINT} echo started"
    assert run_in(image, "sh", "-euc", script).split("\n")[:-1] == [
        *("probed", f"/{CUDA}", f"/{CUDA}", "== CUDA ==", "started")
    ]
    listed = run_in(image, "dpkg-query", "-f", "${Package} ${Status}\n", "-W").splitlines()
    assert {"cuda-cudart-12-4 hold ok installed", "tini install ok installed"} <= set(listed)
    assert run_in(image, "dpkg", "--audit") == ""


def test_the_loader_finds_its_libraries_and_all_others_as_ldconfig_has_it(image: str) -> None:
    ours, theirs = run_in(
        image, "sh", "-euc", "ldconfig -p; echo ----; ldconfig; ldconfig -p"
    ).split("----\n")
    assert [line for line in ours.splitlines() if "generated by" not in line] == [
        line for line in theirs.splitlines() if "generated by" not in line
    ]
    for library in LIBRARIES:
        assert f"{library} (libc6,x86-64) => /usr/local/cuda/lib64/{library}" in ours
    assert "libgomp.so.1 (libc6,x86-64) => " in ours
    load = "".join(f"ctypes.CDLL('{library}');" for library in (*LIBRARIES, "libgomp.so.1"))
    run_in(image, "env", "-u", "LD_LIBRARY_PATH", "python", "-c", f"import ctypes;{load}")


def test_a_prediction_works(image: str) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running_container(image, "--env", f"PORT={port}"):

        def ready() -> bool:
            try:
                return bool(httpx.get(f"{url}/health-check").json()["status"] == "READY")
            except httpx.HTTPError:
                return False

        wait_until(ready, "the model's setup")
        answer = httpx.post(f"{url}/predictions", json={"input": {"name": "Ada"}}).json()
        assert answer["output"] == "hello Ada"


def test_nothing_is_needed_of_an_image_that_nvidia_has_removed(shop: Shop, image: str) -> None:
    shutil.move(shop.repositories / "nvidia", shop.repositories.parent / "removed")
    try:
        assert "is up to date" in shop.lock()
        base = shop.locked
        config = shop.directory / "cog.yaml"
        config.write_text(MODEL.replace("{gpu", "{system_packages: [hostname], gpu"))
        shop.lock()
        assert shop.locked == base
        shop.requests()
        shop.push("later:1")
        assert shop.fetched() == []
        refused = cogn("lock", shop.directory, "--upgrade", cache=shop.cache)
        assert refused.returncode == 1
        assert f"`docker.io/nvidia/cuda:{TAG}` is not there" in refused.stderr
        assert "`cogn lock` without `--upgrade`" in refused.stderr
        lock = lockfiles.read(shop.directory / "cogn.lock")
        elsewhere = cache_of_inputs(lock, shop.directory.parent / "elsewhere")
        out = f"oci-archive:{shop.directory.parent / 'model.tar'}"
        refused = cogn("assemble", shop.directory, "-o", out, cache=shop.cache)
        assert refused.returncode == 1
        assert f"`{shop.host}/models/" in refused.stderr
        settings = shop.directory / "cogn.toml"
        mirror = f'[registries."docker.io/nvidia/cuda"]\nmirrors = ["{shop.host}/models/gpu"]\n'
        settings.write_text(settings.read_text() + mirror)
        assembled = cogn("assemble", shop.directory, "-o", out, cache=elsewhere)
        assert assembled.returncode == 0, assembled.stderr
    finally:
        shutil.move(shop.repositories.parent / "removed", shop.repositories / "nvidia")
