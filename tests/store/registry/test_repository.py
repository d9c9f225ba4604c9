"""The same pushes against real registries: plain, with TLS and a password, with tokens."""

from __future__ import annotations

import json
import random
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
import httpx
import pytest

from cogn.report import Reporter
from cogn.store.errors import DamagedBlobError, RegistryError, UnknownBlobError
from cogn.store.registry import (
    Blob,
    Reference,
    Registries,
    RegistryConfiguration,
    Repository,
    attach,
    attached,
    blob_of_bytes,
    blob_of_file,
)
from cogn.store.registry.upload import UploadTraits
from support.certificates import Authority
from support.registry import OCI_INDEX, OCI_MANIFEST, digest_of
from support.servers import Relay, running_registry
from support.tokens import TokenService

pytestmark = pytest.mark.registry

_T = TypeVar("_T")
Pushed = Callable[[Repository], Awaitable[_T]]

MEBIBYTE = 1 << 20
USER, PASSWORD = "me", "do-not-say-this"
HTPASSWD = "me:$2y$04$LQsveE272v7Nod/u3daPHeqioj1.NZofKN03kbKclnhtcTB3utyrq\n"
"""The same as bcrypt has it: the only way in which distribution takes it."""

WHOLE = blob_of_bytes(random.Random(1).randbytes(MEBIBYTE), "whole")
CHUNKED = blob_of_bytes(random.Random(2).randbytes(7 * MEBIBYTE // 2), "chunked")
EMPTY = blob_of_bytes(b"", "empty")
CONFIG = blob_of_bytes(
    b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}', "config"
)
LOCK_TYPE = "application/vnd.example.lock"


@dataclass(frozen=True)
class Server:
    """A registry that runs, and a way to look into it that is not cogn's."""

    host: str
    client: httpx.Client
    authority: Path | None = None
    authorization: Callable[[str], dict[str, str]] = field(default=lambda repository: {})

    def get(self, repository: str, path: str) -> httpx.Response:
        headers = {"Accept": f"{OCI_MANIFEST}, {OCI_INDEX}", **self.authorization(repository)}
        return self.client.get(f"/v2/{repository}/{path}", headers=headers)


def plain(directory: Path, stack: ExitStack) -> Server:
    host = stack.enter_context(running_registry(directory))
    return Server(host, stack.enter_context(httpx.Client(base_url=f"http://{host}")))


def with_password(directory: Path, stack: ExitStack) -> Server:
    authority = Authority(directory)
    (directory / "htpasswd").write_text(HTPASSWD)
    host = stack.enter_context(
        running_registry(
            directory,
            certificate=authority.issue("registry"),
            authentication={"htpasswd": {"realm": "r", "path": str(directory / "htpasswd")}},
            relative=True,
        )
    )
    trust = ssl.create_default_context(cafile=authority.certificate)
    client = httpx.Client(base_url=f"https://{host}", verify=trust, auth=(USER, PASSWORD))
    return Server(host, stack.enter_context(client), authority.certificate)


def with_tokens(directory: Path, stack: ExitStack) -> Server:
    service = stack.enter_context(TokenService(Authority(directory), USER, PASSWORD))
    host = stack.enter_context(running_registry(directory, authentication=service.authentication))

    def authorization(repository: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {service.token(f'repository:{repository}:pull')}"}

    client = httpx.Client(base_url=f"http://{host}")
    return Server(host, stack.enter_context(client), authorization=authorization)


@pytest.fixture(scope="module", params=[plain, with_password, with_tokens])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with ExitStack() as stack:
        yield request.param(tmp_path_factory.mktemp("registry"), stack)


@pytest.fixture(autouse=True)
def configured(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Small chunks and short waits; a user who may push and trusts the registry."""
    monkeypatch.setattr("cogn.store.retry._FIRST_WAIT", 0.001)
    traits = partial(UploadTraits, largest_whole=3 * MEBIBYTE // 2, chunk=MEBIBYTE)
    monkeypatch.setattr("cogn.store.registry.registries.UploadTraits", traits)
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    log_in(server.host, tmp_path)
    if server.authority is not None:
        directory = certificates(server.host, tmp_path)
        directory.mkdir(parents=True)
        (directory / "ca.crt").write_bytes(server.authority.read_bytes())


def certificates(host: str, tmp_path: Path) -> Path:
    return tmp_path / "containers/certs.d" / host


def log_in(host: str, tmp_path: Path, password: str = PASSWORD) -> None:
    auth = b64encode(f"{USER}:{password}".encode()).decode()
    (tmp_path / "auth.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))


def run(host: str, name: str, action: Pushed[_T]) -> _T:
    """Do something with a repository; return what comes of it."""

    async def main() -> _T:
        async with Registries.open(RegistryConfiguration.load(), Reporter()) as registries:
            return await action(await registries.push_target(Reference.parse(f"{host}/{name}:1")))

    return anyio.run(main)


async def bring(repository: Repository, *blobs: Blob) -> list[int]:
    """Bring blobs to a repository; return how many bytes went out for each."""
    return [
        0 if await repository.has_blob(blob.digest) else await repository.put_blob(blob)
        for blob in blobs
    ]


def descriptor(blob: Blob, media_type: str = "application/octet-stream") -> dict[str, object]:
    return {"mediaType": media_type, "digest": blob.digest, "size": blob.size}


def manifest(*layers: Blob) -> bytes:
    config = descriptor(CONFIG, "application/vnd.oci.image.config.v1+json")
    tar = "application/vnd.oci.image.layer.v1.tar"
    described = [descriptor(layer, tar) for layer in layers]
    content = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config}
    return json.dumps(content | {"layers": described}).encode()


def test_a_blob_arrives_whole_and_once(server: Server) -> None:
    blobs = (CHUNKED, WHOLE, EMPTY)
    assert run(server.host, "blobs", lambda r: bring(r, *blobs)) == [b.size for b in blobs]
    for blob in blobs:
        assert digest_of(server.get("blobs", f"blobs/{blob.digest}").content) == blob.digest
    assert run(server.host, "blobs", lambda r: bring(r, *blobs)) == [0, 0, 0]


def test_a_blob_that_another_repository_has_is_mounted(server: Server) -> None:
    run(server.host, "team/base", lambda r: bring(r, CHUNKED))
    sources = ["team/missing", "team/base"]
    assert run(server.host, "team/model", lambda r: r.put_blob(CHUNKED, sources)) == 0
    stored = server.get("team/model", f"blobs/{CHUNKED.digest}").content
    assert digest_of(stored) == CHUNKED.digest
    assert run(server.host, "team/model", lambda r: r.put_blob(WHOLE, sources)) == WHOLE.size


def test_a_broken_connection_costs_no_more_than_a_chunk(server: Server, tmp_path: Path) -> None:
    pieces = iter(range(10_000))

    def passing() -> None:
        if next(pieces) in {12, 25, 40}:
            raise ConnectionResetError

    with Relay(server.host, passing) as relay:
        log_in(relay.host, tmp_path)
        if server.authority is not None:
            certificates(relay.host, tmp_path).symlink_to(certificates(server.host, tmp_path))
        sent = run(relay.host, "broken", lambda r: r.put_blob(CHUNKED))
    assert CHUNKED.size < sent <= CHUNKED.size + 3 * MEBIBYTE
    assert digest_of(server.get("broken", f"blobs/{CHUNKED.digest}").content) == CHUNKED.digest


def test_a_damaged_blob_is_noticed_on_the_way(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "blob"
    file.write_bytes(bytes(CHUNKED.size))
    damaged = blob_of_file(file, CHUNKED.digest, CHUNKED.size, "damaged")
    with pytest.raises(DamagedBlobError, match=f"is damaged: it is not {CHUNKED.digest}"):
        run(server.host, "damaged", lambda r: r.put_blob(damaged))
    assert server.get("damaged", f"blobs/{CHUNKED.digest}").status_code == 404


def test_a_tag_names_the_image_that_came_last(server: Server) -> None:
    images = [manifest(WHOLE), manifest(WHOLE, CHUNKED)]
    index = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [descriptor(blob_of_bytes(each, ""), OCI_MANIFEST) for each in images],
        }
    ).encode()

    async def push(repository: Repository) -> None:
        await bring(repository, CONFIG, WHOLE, CHUNKED)
        for data in images:
            await repository.put_manifest(OCI_MANIFEST, data, "1")
            assert server.get("images", "manifests/1").content == data
            assert await repository.has_manifest(digest_of(data), OCI_MANIFEST)
        await repository.put_manifest(OCI_INDEX, index, "1")
        tagged = await repository.manifest("1", [OCI_INDEX, OCI_MANIFEST])
        assert tagged is not None
        assert (tagged.media_type, tagged.data) == (OCI_INDEX, index)

    run(server.host, "images", push)
    assert server.get("images", "manifests/1").content == index
    for data in images:
        assert server.get("images", f"manifests/{digest_of(data)}").content == data


def test_an_image_with_a_blob_that_is_not_there_is_refused(server: Server) -> None:
    async def push(repository: Repository) -> None:
        await bring(repository, CONFIG, WHOLE)
        await repository.put_manifest(OCI_MANIFEST, manifest(WHOLE, CHUNKED), "1")

    with pytest.raises(UnknownBlobError) as caught:
        run(server.host, "lacking", push)
    assert caught.value.blobs == {CHUNKED.digest}
    assert server.get("lacking", "manifests/1").status_code == 404


def test_a_lock_is_kept_with_its_image(server: Server) -> None:
    images = [manifest(WHOLE), manifest(CHUNKED)]

    async def push(repository: Repository) -> None:
        await bring(repository, CONFIG, WHOLE, CHUNKED)
        for data in images:
            subject = descriptor(blob_of_bytes(data, ""), OCI_MANIFEST)
            digest = str(subject["digest"])
            await repository.put_manifest(OCI_MANIFEST, data, digest)
            assert await attached(repository, digest, LOCK_TYPE) is None
            for text, kind in ((data[::-1], LOCK_TYPE), (b"other", "text/plain"), (b"", "a/b")):
                first = await attach(repository, subject, text, media_type=kind, name="name")
                again = await attach(repository, subject, text, media_type=kind, name="name")
                assert first == again
        for data in images:
            assert await attached(repository, digest_of(data), LOCK_TYPE) == data[::-1]

    run(server.host, "locks", push)
    # There is no API for referrers in this registry: an index under a tag takes its place.
    tag = digest_of(images[0]).replace(":", "-")
    (listed,) = (
        each
        for each in server.get("locks", f"manifests/{tag}").json()["manifests"]
        if each["artifactType"] == LOCK_TYPE
    )
    artifact = server.get("locks", f"manifests/{listed['digest']}").json()
    assert artifact["subject"]["digest"] == digest_of(images[0])


@pytest.mark.podman
def test_skopeo_pulls_the_same_bytes(server: Server, tmp_path: Path) -> None:
    image = manifest(WHOLE, CHUNKED)

    async def push(repository: Repository) -> None:
        await bring(repository, CONFIG, WHOLE, CHUNKED)
        await repository.put_manifest(OCI_MANIFEST, image, "1")

    run(server.host, "team/pulled", push)
    trust = "--src-tls-verify=false"
    if server.authority is not None:
        trust = f"--src-cert-dir={certificates(server.host, tmp_path)}"
    subprocess.run(
        ["skopeo", "copy", trust, f"docker://{server.host}/team/pulled:1", f"dir:{tmp_path}/copy"],
        check=True,
        capture_output=True,
    )
    assert (tmp_path / "copy/manifest.json").read_bytes() == image
    for blob in (CONFIG, WHOLE, CHUNKED):
        pulled = tmp_path / "copy" / blob.digest.removeprefix("sha256:")
        assert digest_of(pulled.read_bytes()) == blob.digest


@pytest.mark.parametrize("server", [with_password, with_tokens], indirect=True)
def test_a_wrong_password_is_explained_and_not_repeated(server: Server, tmp_path: Path) -> None:
    log_in(server.host, tmp_path, "another-password")
    with pytest.raises(RegistryError, match=server.host) as caught:
        run(server.host, "refused", lambda r: r.put_blob(WHOLE))
    assert "cogn login" in (caught.value.hint or "")
    assert "another-password" not in f"{caught.value} {caught.value.hint}"
    assert server.get("refused", f"blobs/{WHOLE.digest}").status_code == 404


@pytest.mark.parametrize("server", [with_password], indirect=True)
def test_a_registry_that_nobody_vouches_for_gets_nothing(server: Server, tmp_path: Path) -> None:
    (certificates(server.host, tmp_path) / "ca.crt").unlink()
    certificates(server.host, tmp_path).rmdir()
    with pytest.raises(RegistryError, match="certificate verify failed") as caught:
        run(server.host, "refused", lambda r: r.put_blob(WHOLE))
    assert server.host in str(caught.value)
