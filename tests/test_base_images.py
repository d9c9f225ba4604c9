"""An image of a registry as the base: locked, never downloaded where that can be, and it runs."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from cogn import lockfiles
from cogn.lockfiles import ImageBase
from cogn.store import Cache
from support.bases import ENVIRONMENT, NETWORKS, BaseImage, real_base
from support.containers import podman, run_in, running_container
from support.locks import AMD64
from support.projects import cache_of_inputs, cogn, digest_of, unseal
from support.registry import FakeRegistry
from support.registry import digest_of as blob_digest
from support.servers import free_port, wait_until

pytestmark = [pytest.mark.network, pytest.mark.podman, pytest.mark.registry]


class Team:
    """A project whose base is an image of a registry, and a machine with a cache of its own."""

    def __init__(self, directory: Path, base: BaseImage, registry: FakeRegistry) -> None:
        self.directory = directory
        self.registry = registry
        self.cache = directory.parent / "cache"
        self.digests = [blob_digest(blob) for _, blob, _ in base.layers]
        (directory / "cogn.toml").write_text(f'base = "{registry.host}/team/base:1"\n')

    @property
    def locked(self) -> ImageBase:
        base = lockfiles.read(self.directory / "cogn.lock").environments[AMD64].base
        assert isinstance(base, ImageBase)
        return base

    def lock(self, *options: str) -> str:
        ended = cogn("lock", self.directory, *options, cache=self.cache)
        assert ended.returncode == 0, ended.stderr
        lock = lockfiles.read(self.directory / "cogn.lock")
        cache_of_inputs(lock, self.cache)
        return ended.stderr

    def assemble(self, *options: str | Path, cache: Path | None = None) -> str:
        ended = cogn("assemble", self.directory, *options, cache=cache or self.cache)
        return digest_of(ended)

    def read(self) -> list[str]:
        """The layers of the base that were read since the last call, some of them twice."""
        requests = list(self.registry.requests)
        self.registry.requests.clear()
        paths = [each.path for each in requests if each.method == "GET"]
        return [digest for path in paths for digest in self.digests if path.endswith(digest)]

    def cached(self) -> list[Path]:
        """The layers of the base that are in the cache."""
        found = (Cache(self.cache).find(digest[7:]) for digest in self.digests)
        return [path for path in found if path]


@pytest.fixture(scope="module")
def base(locked: dict[str, Path]) -> BaseImage:
    return real_base(lockfiles.read(locked["hello"] / "cogn.lock").environments[AMD64])


@pytest.fixture(scope="module")
def team(
    locked: dict[str, Path], base: BaseImage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Team]:
    directory = tmp_path_factory.mktemp("team") / "hello"
    shutil.copytree(locked["hello"], directory)
    with FakeRegistry() as registry:
        base.put(registry)
        made = Team(directory, base, registry)
        made.lock()
        made.assemble("-o", f"oci-archive:{directory.parent / 'sealed.tar'}")
        for path in made.cached():
            path.unlink()
        made.read()
        yield made


def test_locking_reads_the_base_once_and_keeps_it(team: Team) -> None:
    before = (team.directory / "cogn.lock").read_bytes()
    assert "cogn.lock is up to date" in team.lock()
    assert (team.directory / "cogn.lock").read_bytes() == before
    assert team.registry.requests == []
    assert team.cached() == []
    names = {deb.name for deb in team.locked.debs}
    assert {"tini", "ca-certificates"} <= names
    assert not {"libc6", "bash", "base-files"} & names


def test_in_the_same_registry_the_base_is_mounted_and_no_byte_of_it_moves(team: Team) -> None:
    sent = team.registry.sent
    digest = team.assemble("--push", f"{team.registry.host}/models/hello:1")
    assert team.read() == []
    assert team.registry.sent - sent < 20_000
    assert team.cached() == []
    pushed = team.registry.repositories["models/hello"]
    assert pushed.blobs.keys() >= set(team.digests)
    manifest = pushed.manifests[digest].document
    assert [layer["digest"] for layer in manifest["layers"]][:2] == team.digests
    assert {layer["mediaType"].partition("+")[0] for layer in manifest["layers"]} == {
        "application/vnd.oci.image.layer.v1.tar"
    }
    assert manifest["annotations"] == {
        "org.opencontainers.image.base.name": f"{team.registry.host}/team/base:1",
        "org.opencontainers.image.base.digest": team.locked.manifest,
    }


def test_to_another_registry_the_base_is_streamed_past_the_disk(team: Team, registry: str) -> None:
    digest = team.assemble("--push", f"{registry}/hello-on-base:1")
    assert sorted(team.read()) == sorted(team.digests)
    assert team.cached() == []
    for each in team.digests:
        url = f"http://{registry}/v2/hello-on-base/blobs/{each}"
        assert httpx.head(url).status_code == 200
    # Where the large one went is remembered, and the other is looked for there too.
    assert team.assemble("--push", f"{registry}/hello-on-base-again:1") == digest
    assert team.read() == []


def test_a_sparse_layout_has_all_but_the_base(team: Team, registry: str, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    digest = team.assemble("-o", f"oci:{layout}:v1", "--sparse")
    assert team.read() == []
    assert team.cached() == []
    team.assemble("--push", f"{registry}/sparse:1")  # so that it has the base
    copied = f"docker://{registry}/sparse:2"
    subprocess.run(
        ["skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"oci:{layout}:v1", copied],
        check=True,
    )
    command = ["skopeo", "inspect", "--tls-verify=false", copied]
    inspected = subprocess.run(command, capture_output=True, check=True).stdout
    assert json.loads(inspected)["Digest"] == digest
    refused = cogn(
        *("assemble", team.directory, "-o", f"oci-archive:{tmp_path / 'a.tar'}", "--sparse"),
        cache=team.cache,
    )
    assert (refused.returncode, "OCI layouts alone" in refused.stderr) == (1, True)


CHECKS = """
import ctypes, os, ssl
assert len(ssl.create_default_context().get_ca_certs()) > 100
ctypes.CDLL("libgomp.so.1")
print(os.environ["TEAM"], os.environ["LANG"], os.environ["PATH"])
"""


def test_the_image_runs_and_is_the_same_wherever_it_is_made(team: Team, tmp_path: Path) -> None:
    digest = team.assemble("-o", f"oci:{tmp_path / 'layout'}")
    assert len(team.cached()) == 2
    unseal(team.directory)
    elsewhere = cache_of_inputs(
        lockfiles.read(team.directory / "cogn.lock"), tmp_path / "elsewhere"
    )
    assert team.assemble("-o", f"oci:{tmp_path / 'again'}", cache=elsewhere) == digest

    image = f"cogn-test-{uuid4().hex[:12]}"
    for source in (f"oci:{tmp_path / 'layout'}", f"docker-archive:{tmp_path / 'docker.tar'}"):
        if source.startswith("docker"):
            team.assemble("-o", source)
        command = ["skopeo", "copy", "--quiet", source, f"containers-storage:localhost/{image}"]
        subprocess.run(command, check=True)
        try:
            check_image(image)
        finally:
            podman("rmi", "--force", image)


def check_image(image: str) -> None:
    path = "/opt/cogn/site/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert run_in(image, "python", "-c", CHECKS).split() == [
        *("blue", "C.UTF-8", f"{path}:/opt/team/bin")
    ]
    listed = run_in(image, "dpkg-query", "-f", "${Package} ${Status}\n", "-W").splitlines()
    assert {"libc6 install ok installed", "tini install ok installed"} <= set(listed)
    assert len(listed) == len(set(listed))
    assert run_in(image, "dpkg", "--audit") == ""
    assert run_in(image, "cat", "/etc/networks").encode() == NETWORKS
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


def test_a_tag_that_moved_is_followed_when_an_upgrade_is_asked_for(
    team: Team, base: BaseImage
) -> None:
    before = team.locked
    moved = BaseImage(base.layers, config={"created": "2026-01-02T03:04:05Z"}).put(team.registry)
    assert "another image" not in team.lock()
    assert team.locked == before
    said = team.lock("--upgrade")
    assert f"is another image now: {before.manifest} -> {moved}" in said
    assert (team.locked.manifest, team.locked.environment) == (moved, ENVIRONMENT)
    assert team.locked.layers == before.layers
