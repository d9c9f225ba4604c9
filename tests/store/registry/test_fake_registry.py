"""The tests' registry without faults: as correct as CNCF distribution, and stricter."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.registry import (
    OCI_INDEX,
    OCI_MANIFEST,
    Basic,
    Bearer,
    Endpoint,
    FakeRegistry,
    digest_of,
)
from support.registry.client import BLOB, CONFIG, DIGEST, MANIFEST, Client, code, manifest, where

OTHER = digest_of(b"another")


def flow(url: str) -> Iterator[tuple[str, httpx.Response]]:
    """A client that does everything once, and every mistake that has one right answer."""
    with Client(url) as client:
        yield "ping", client.get("/v2/")
        yield "unknown blob, HEAD", client.blob_head()
        yield "unknown blob, GET", client.blob()
        yield "no digest", client.blob("sha256:12")
        yield "no repository", client.get("/v2/team/model/tags/list")
        yield "no endpoint", client.get("/v2/team/model/nothing")
        yield "wrong method", client.patch(f"/v2/team/model/blobs/{DIGEST}")

        upload = client.start()
        yield "start", upload
        yield "status of nothing", client.status(upload)
        upload = client.chunk(upload, 0, 1000)
        yield "first chunk", upload
        yield "status", client.status(upload)
        upload = client.chunk(upload, 1000, 3000)
        yield "second chunk", upload
        yield "last chunk", client.finish(upload, BLOB[3000:])
        yield "finished upload", client.status(upload)
        yield "blob, HEAD", client.blob_head()
        yield "blob, GET", client.blob()
        for part in ("2-5", "10000-", "-7", "10000-99999999"):
            url, headers = f"/v2/team/model/blobs/{DIGEST}", {"Range": f"bytes={part}"}
            yield f"blob, {part}", client.get(url, headers=headers)

        yield "monolithic", client.upload(CONFIG)
        yield "empty blob", client.upload(b"")
        yield "wrong digest", client.finish(client.start(), b"other")
        yield "malformed digest", client.finish(client.start(), b"other", "sha256:12")
        yield "missing digest", client.put(where(client.start()), content=BLOB)
        cancelled = client.start()
        yield "cancel", client.delete(where(cancelled))
        yield "chunk after that", client.chunk(cancelled, 0, 10)
        yield "cancel again", client.delete(where(cancelled))
        unseen = client.finish(client.start("team/other"), b"", DIGEST)
        yield "blob of another repository", unseen
        for name, query in [
            ("mount", f"?mount={DIGEST}&from=team/model"),
            ("mount of what is not there", f"?mount={OTHER}&from=team/model"),
            ("mount from nowhere", f"?mount={DIGEST}&from=no/where"),
            ("mount without from", f"?mount={DIGEST}"),
        ]:
            yield name, client.start("team/other", query)
        yield "mounted blob", client.blob(repository="team/other")

        yield "unknown layer", client.put_manifest(data=manifest(b"unknown"))
        yield "not JSON", client.put_manifest(data=b"{")
        yield "another type", client.put_manifest(media_type=OCI_INDEX)
        yield "unknown type", client.put_manifest(media_type="text/plain")
        yield "digest of another", client.put_manifest(DIGEST)
        yield "by tag", client.put_manifest("1")
        yield "by digest", client.put_manifest(digest_of(MANIFEST))
        child = {"mediaType": OCI_MANIFEST, "digest": digest_of(MANIFEST), "size": len(MANIFEST)}
        for each in (OTHER, digest_of(MANIFEST)):
            index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child]}
            data = json.dumps(index | {"manifests": [child | {"digest": each}]}).encode()
            yield f"index of {each}", client.put_manifest("all", data, OCI_INDEX)
        yield "tag", client.manifest("1")
        yield "digest", client.manifest(digest_of(MANIFEST))
        head = client.head("/v2/team/model/manifests/1", headers={"Accept": OCI_MANIFEST})
        yield "tag, HEAD", head
        yield "unknown tag", client.manifest("none")
        yield "any type", client.manifest("1", "*/*")
        yield "wrong Accept", client.manifest("1", OCI_INDEX)
        yield "tags", client.get("/v2/team/model/tags/list")


HEADERS = ("Range", "Content-Range", "Docker-Content-Digest", "Content-Length", "Content-Type")


def essence(response: httpx.Response) -> tuple[object, ...]:
    """What two registries have to agree on; the wording of errors is their own."""
    if response.status_code >= 400:
        body = response.content
        return response.status_code, body.startswith(b"{") and code(response)
    values = {name: response.headers.get(name) for name in HEADERS}
    if (values["Content-Type"] or "").startswith("application/json"):
        tags = sorted(response.json().get("tags", []))
        return response.status_code, tags
    location = httpx.URL(response.headers.get("Location", "http://h")).path
    digest = location.rpartition("/")[2] if response.status_code == 201 else None
    # Not all servers send a length with nothing.
    return response.status_code, values | {"Content-Length": len(response.content)}, digest


def results(url: str) -> list[tuple[object, ...]]:
    return [(name, *essence(response)) for name, response in flow(url)]


@pytest.mark.registry
def test_it_answers_as_cncf_distribution_does(registry: str) -> None:
    with FakeRegistry() as fake:
        assert results(fake.url) == results(f"http://{registry}")


def test_it_stores_what_a_good_client_sends() -> None:
    with FakeRegistry() as registry:
        assert [name for name, response in flow(registry.url) if response.status_code >= 500] == []
        model = registry.repositories["team/model"]
        assert model.blobs == {digest_of(each): each for each in (BLOB, CONFIG, b"")}
        assert model.manifests[model.tags["1"]].data == MANIFEST
        assert registry.repositories["team/other"].blobs == {DIGEST: BLOB}
        assert registry.connections == 1
        assert registry.received > sum(each.received for each in registry.requests) > 2 * len(BLOB)
        put = next(each for each in registry.requests if each.endpoint is Endpoint.UPLOAD_PUT)
        assert (put.status, put.received, put.query["digest"]) == (201, len(BLOB) - 3000, [DIGEST])


@pytest.mark.podman
@pytest.mark.parametrize("auth", [None, Basic("me", "secret"), Bearer("me", "secret")])
def test_skopeo_pushes_and_pulls(auth: Basic | Bearer | None, tmp_path: Path) -> None:
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {}}).encode()
    layer = subprocess.run(
        ["tar", "-czf-", "-C", "/", "--files-from=/dev/null"], capture_output=True, check=True
    ).stdout
    image = manifest(layer, config=config)
    blobs = tmp_path / "image/blobs/sha256"
    blobs.mkdir(parents=True)
    for each in (config, layer, image):
        (blobs / digest_of(each).removeprefix("sha256:")).write_bytes(each)
    entry = {
        "mediaType": OCI_MANIFEST,
        "digest": digest_of(image),
        "size": len(image),
        "annotations": {"org.opencontainers.image.ref.name": "1"},
    }
    index = {"schemaVersion": 2, "manifests": [entry]}
    (tmp_path / "image/index.json").write_text(json.dumps(index))
    (tmp_path / "image/oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def copy(source: str, target: str, side: str) -> None:
        options = [f"--{side}-tls-verify=false"]
        options += [f"--{side}-creds=me:secret"] if auth else []
        subprocess.run(
            ["skopeo", "--insecure-policy", "copy", *options, source, target], check=True
        )

    with FakeRegistry(auth=auth) as registry:
        name = f"docker://{registry.host}/team/model:1"
        copy(f"oci:{tmp_path / 'image'}:1", name, "dest")
        stored = registry.repositories["team/model"]
        assert stored.manifests[stored.tags["1"]].data == image
        copy(name, f"oci:{tmp_path / 'back'}:1", "src")
        assert not [each for each in registry.requests if (each.status or 500) >= 500]
    assert (tmp_path / "back/blobs/sha256" / digest_of(layer)[7:]).read_bytes() == layer


def test_a_chunk_has_to_begin_where_the_last_one_ended() -> None:
    with FakeRegistry() as registry, Client(registry.url) as client:
        upload = client.chunk(client.start(), 0, 1000)
        for start in (0, 999, 1001):
            refused = client.chunk(upload, start, start + 500)
            assert (refused.status_code, refused.headers["Range"]) == (416, "0-999")
            assert code(refused) == "RANGE_INVALID"
        for text in ("bytes 1000-1999", "bytes=1000-1999", "1000", "x"):
            headers = {"Content-Range": text}
            assert client.patch(where(upload), headers=headers).status_code == 416
        headers = {"Content-Range": "1000-1999"}
        shorter = client.patch(where(upload), headers=headers, content=BLOB[1000:1900])
        assert (shorter.status_code, code(shorter)) == (400, "SIZE_INVALID")
        assert client.chunk(refused, 1000, len(BLOB)).status_code == 202
        assert client.finish(upload).status_code == 201


def test_bodies_may_come_in_chunks_of_http() -> None:
    def pieces() -> Iterator[bytes]:
        yield BLOB[:7000]
        yield BLOB[7000:]

    with FakeRegistry() as registry, Client(registry.url) as client:
        streamed = client.patch(where(client.start()), content=pieces())
        assert streamed.headers["Range"] == f"0-{len(BLOB) - 1}"
        assert client.finish(streamed).status_code == 201
        url = where(client.start()).copy_merge_params({"digest": DIGEST})
        assert client.put(url, content=pieces()).status_code == 201
        assert registry.requests[-1].received == len(BLOB)
        assert registry.connections == 1


def test_a_post_may_bring_the_blob() -> None:
    with FakeRegistry() as registry, Client(registry.url) as client:
        path = "/v2/team/model/blobs/uploads/"
        stored = client.post(path, params={"digest": DIGEST}, content=BLOB)
        assert (stored.status_code, registry.uploads) == (201, 0)
        wrong = client.post(path, params={"digest": OTHER}, content=BLOB)
        assert (wrong.status_code, code(wrong)) == (400, "DIGEST_INVALID")
        assert registry.repositories["team/model"].blobs == {DIGEST: BLOB}


def test_manifests_have_to_be_what_they_say() -> None:
    with FakeRegistry() as registry, Client(registry.url) as client:
        registry.add_blob("team/model", BLOB)
        registry.add_blob("team/model", CONFIG)
        wrong_size = MANIFEST.replace(b": 10240", b": 10241")
        cases: list[tuple[str, bytes, int, str]] = [
            ("1", wrong_size, 400, "MANIFEST_INVALID"),
            ("1", b"[]", 400, "MANIFEST_INVALID"),
            ("1", b'{"schemaVersion": 2}', 400, "MANIFEST_INVALID"),
            ("-1", MANIFEST, 400, "TAG_INVALID"),
            ("1", MANIFEST + b" " * (4 << 20), 413, "SIZE_INVALID"),
        ]
        for reference, data, status, expected in cases:
            refused = client.put_manifest(reference, data)
            assert (refused.status_code, code(refused)) == (status, expected)
        bad_name = client.put_manifest(repository="Team/model")
        assert (bad_name.status_code, code(bad_name)) == (400, "NAME_INVALID")
        both = client.put_manifest(data=manifest(b"x", b"y"))
        details = [each["detail"] for each in both.json()["errors"]]
        assert details == [digest_of(b"x"), digest_of(b"y")]
        elsewhere = json.loads(manifest(b"x"))
        elsewhere["layers"][0]["urls"] = ["https://example.com/layer"]
        assert client.put_manifest(data=json.dumps(elsewhere).encode()).status_code == 201


def test_tags_are_listed_in_pages_and_deleted() -> None:
    with FakeRegistry() as registry, Client(registry.url) as client:
        for tag in "cab":
            registry.add_manifest("team/model", MANIFEST, tag)
        page = client.get("/v2/team/model/tags/list", params={"n": 2})
        assert page.json() == {"name": "team/model", "tags": ["a", "b"]}
        rest = client.get(page.links["next"]["url"])
        assert (rest.json()["tags"], rest.links) == (["c"], {})
        assert client.get("/v2/team/model/tags/list?n=x").status_code == 400
        assert client.delete("/v2/team/model/manifests/a").status_code == 202
        assert registry.repositories["team/model"].tags.keys() == {"b", "c"}
        path = f"/v2/team/model/manifests/{digest_of(MANIFEST)}"
        assert [client.delete(path).status_code for _ in range(2)] == [202, 404]
        assert registry.repositories["team/model"].tags == {}
        path = f"/v2/team/model/blobs/{registry.add_blob('team/model', BLOB)}"
        assert [client.delete(path).status_code for _ in range(2)] == [202, 404]


def test_referrers_are_listed_by_subject_and_type() -> None:
    subject = {"mediaType": OCI_MANIFEST, "digest": DIGEST, "size": 10}
    typed = manifest(subject=subject, artifactType="a/b", annotations={"k": "v"})
    plain = manifest(subject=subject)
    with FakeRegistry() as registry, Client(registry.url) as client:
        registry.add_blob("team/model", CONFIG)
        for each in (typed, plain, manifest()):
            put = client.put_manifest(digest_of(each), each)
            assert put.headers.get("OCI-Subject") == (DIGEST if b"subject" in each else None)
        path = f"/v2/team/model/referrers/{DIGEST}"
        every_one = client.get(path)
        assert every_one.headers["Content-Type"] == OCI_INDEX
        digests = [each["digest"] for each in every_one.json()["manifests"]]
        assert digests == sorted([digest_of(typed), digest_of(plain)])
        filtered = client.get(path, params={"artifactType": "a/b"})
        assert filtered.headers["OCI-Filters-Applied"] == "artifactType"
        assert filtered.json()["manifests"] == [
            {
                "mediaType": OCI_MANIFEST,
                "digest": digest_of(typed),
                "size": len(typed),
                "artifactType": "a/b",
                "annotations": {"k": "v"},
            }
        ]
        assert client.get(f"/v2/team/model/referrers/{OTHER}").json()["manifests"] == []
        assert client.get("/v2/team/model/referrers/1").status_code == 400
