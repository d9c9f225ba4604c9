"""Pushes that are killed at any moment: nothing half done is seen, and the next one ends well."""

from __future__ import annotations

import gzip
import io
import os
import random
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
import pytest
from click.testing import CliRunner

from cogn.cli.main import cogn
from cogn.store import Cache
from support.projects import COGN
from support.registry import (
    OCI_INDEX,
    OCI_MANIFEST,
    Answer,
    FakeRegistry,
    Fault,
    NoReferrers,
    digest_of,
)
from support.sealed import SealedProject, sealed_project
from support.servers import Relay

KILLS = 50
ATTEMPTS = 56  # some pushes end a little sooner than the last one of their kind
AT_ONCE = 2
SENT, MOUNTED, CHANGED, SHARED = "all is sent", "layers are mounted", "new version", "shared home"
KINDS = (SENT, MOUNTED, CHANGED, SHARED)
COMMAND = (
    sys.executable,
    "-c",
    # Chunks are small, so that layers of some megabytes go as those of some gigabytes do.
    "from functools import partial\n"
    "from cogn.store.registry import registries, upload\n"
    "small = partial(upload.UploadTraits, largest_whole=1_000_000, chunk=1_000_000)\n"
    f"registries.UploadTraits = small; {COGN[2]}",
)


@dataclass(frozen=True)
class Shelf:
    """What a repository has, as another program sees it."""

    client: httpx.Client
    repository: str

    def get(self, path: str) -> bytes:
        """Return what is there; nothing where there is nothing."""
        answer = self.client.get(
            f"/v2/{self.repository}/{path}", headers={"Accept": f"{OCI_MANIFEST}, {OCI_INDEX}"}
        )
        assert answer.status_code in {200, 404}
        return answer.content if answer.status_code == 200 else b""

    def image(self, version: str) -> list[bytes]:
        """Return the configuration and the layers of a manifest, if there is one."""
        content = msgspec.json.decode(self.get(f"manifests/{version}") or b"{}")
        blobs = []
        for each in [content["config"], *content["layers"]] if content else []:
            data = self.get(f"blobs/{each['digest']}")
            assert (len(data), digest_of(data)) == (each["size"], each["digest"])
            blobs.append(data)
        return blobs

    def attached(self, digest: str) -> list[list[bytes]]:
        """Return the artifacts about a manifest: those in the registry's list, or under the tag."""
        stand_in = f"manifests/{digest.replace(':', '-')}"
        listed = self.get(f"referrers/{digest}") or self.get(stand_in) or b'{"manifests":[]}'
        return [self.image(each["digest"]) for each in msgspec.json.decode(listed)["manifests"]]


def assert_nothing_half_done(project: SealedProject, shelf: Shelf) -> None:
    """What is tagged is whole, be it the version before or the new one, and so is the lock."""
    shelf.image("1")
    assert (project.root / "cogn.lock").read_bytes() in {project.before, project.after}


def assert_complete(project: SealedProject, shelf: Shelf, digest: str, home: str) -> None:
    """The tag names the image that was printed: the sealed layers, and today's source."""
    assert (project.root / "cogn.lock").read_bytes() == project.after
    assert digest_of(shelf.get("manifests/1")) == digest
    config, *sealed, source = shelf.image("1")
    assert tuple(map(digest_of, sealed)) == project.layers
    tar = gzip.decompress(source)
    diff_ids = msgspec.json.decode(config)["rootfs"]["diff_ids"]
    assert diff_ids == [*project.layers, digest_of(tar)]
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        members = [each.name for each in archive if each.isreg()]
        names = (".cog/openapi_schema.json", "cog.yaml", "cogn.toml", "data.bin", "run.py")
        assert members == [f"src/{name}" for name in names]
        data = archive.extractfile("src/data.bin")
        assert data is not None
        assert data.read() == (project.root / "data.bin").read_bytes()
    assert shelf.attached(digest) == [[b"{}", project.after]]
    if home:  # which keeps what has a tag there
        tag = project.layers[0].replace("sha256:", "layer-")
        (_, layer) = Shelf(shelf.client, home).image(tag)
        assert digest_of(layer) == project.layers[0]


class Bench:
    """A project that is pushed again and again, each time with another source.

    What passes between a push and the registry is counted, to kill one at any point of its way.
    """

    def __init__(self, name: str, project: SealedProject, client: httpx.Client) -> None:
        self.name = name
        self.project = project
        self.host = self.repository = self.home = ""
        self.passed = 0
        self._client = client
        self._number = 0
        self._moment = -1
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    @property
    def shelf(self) -> Shelf:
        return Shelf(self._client, self.repository)

    def prepare(self, kind: str) -> None:
        """Change the source; choose a repository with the past that makes this kind of push."""
        self._number += 1
        fresh = f"{self.name}/fresh{self._number}"
        self.repository = f"{self.name}/model" if kind == CHANGED else fresh
        self.home = f"{fresh}-home" if kind == SHARED else ""
        if kind in {SENT, SHARED}:
            Cache(self.project.cache).drop_notes("places")
        (self.project.root / "data.bin").write_bytes(random.Random(fresh).randbytes(300_000))
        (self.project.root / "cogn.lock").write_bytes(self.project.before)

    def start(self, moment: int = -1) -> subprocess.Popen[str]:
        """Start a push, to be killed when so many pieces have passed."""
        command = [*COMMAND, "assemble", str(self.project.root)]
        command += ["--push", f"{self.host}/{self.repository}:1"]
        command += ["--blob-repo", self.home] if self.home else []
        own = {"COGN_CACHE": str(self.project.cache), "REGISTRY_AUTH_FILE": os.devnull}
        with self._lock:
            self.passed, self._moment = 0, moment
            self._process = subprocess.Popen(
                command,
                env=os.environ | own,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            return self._process

    def passing(self) -> None:
        with self._lock:
            if self._process is not None and self.passed == self._moment:
                self._process.kill()
            self.passed += 1

    def complete(self) -> None:
        """Push without being killed, and look at what is there then."""
        process = self.start()
        digest, said = process.communicate()
        assert process.returncode == 0, said
        assert_complete(self.project, self.shelf, digest.strip(), self.home)


@contextmanager
def running_bench(name: str, registry: str, directory: Path) -> Iterator[Bench]:
    with httpx.Client(base_url=f"http://{registry}") as client:
        bench = Bench(name, sealed_project(directory / name), client)
        with Relay(registry, bench.passing) as relay:
            bench.host = relay.host
            yield bench


def killed_again_and_again(bench: Bench, count: int) -> int:
    """Kill so many pushes, at moments all along their way; return how many did not end before."""
    lengths = {}
    for kind in (CHANGED, *KINDS):
        bench.prepare(kind)
        bench.complete()
        lengths[kind] = bench.passed
    chance = random.Random(bench.name)
    killed = 0
    for number in range(0, count, 2):
        kind = KINDS[number // 2 % len(KINDS)]
        bench.prepare(kind)
        # The second goes on where the first was killed, and has less to do.
        for fraction in ((number + chance.random() * 2) / count, chance.random() / 2):
            process = bench.start(int(fraction * lengths[kind]))
            process.communicate()
            killed += process.returncode == -signal.SIGKILL
            assert_nothing_half_done(bench.project, bench.shelf)
        bench.complete()
    return killed


@pytest.mark.registry
def test_a_push_that_was_killed_is_completed_by_the_next(registry: str, tmp_path: Path) -> None:
    def kill(name: str) -> int:
        with running_bench(name, registry, tmp_path) as bench:
            return killed_again_and_again(bench, ATTEMPTS // AT_ONCE)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        killed = sum(threads.map(kill, [f"bench{number}" for number in range(AT_ONCE)]))
    assert killed >= KILLS


@pytest.mark.registry
def test_a_lock_that_was_being_written_is_whole_and_leaves_nothing(
    registry: str, tmp_path: Path
) -> None:
    with running_bench("lock", registry, tmp_path) as bench:
        for _ in range(3):
            bench.prepare(SENT)
            names = {*bench.project.root.iterdir()}
            process = bench.start()
            while process.poll() is None:
                if {*bench.project.root.iterdir()} != names:
                    process.kill()
            process.communicate()
            assert_nothing_half_done(bench.project, bench.shelf)
            bench.complete()


def test_a_push_that_ends_at_any_request_is_completed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = sealed_project(tmp_path)
    (project.root / "data.bin").write_bytes(b"some text")
    monkeypatch.setenv("COGN_CACHE", str(project.cache))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", os.devnull)
    no_list = Fault(NoReferrers())
    requests, is_over = 0, False
    while not is_over:
        Cache(project.cache).drop_notes("places")
        with FakeRegistry() as registry, httpx.Client(base_url=registry.url) as client:
            shelf = Shelf(client, "model")
            reference = f"{registry.host}/{shelf.repository}:1"
            command = ["assemble", str(project.root), "--push", reference, "--blob-repo", "home"]
            registry.inject(no_list, Fault(Answer(400), times=range(requests + 1, sys.maxsize)))
            CliRunner().invoke(cogn, command)
            is_over = len(registry.requests) <= requests
            registry.mend()
            registry.inject(no_list)
            assert_nothing_half_done(project, shelf)
            done = CliRunner().invoke(cogn, command, catch_exceptions=False)
            assert done.exit_code == 0, done.stderr
            assert_complete(project, shelf, done.stdout.strip(), "home")
        requests += 1
    assert requests > 20
