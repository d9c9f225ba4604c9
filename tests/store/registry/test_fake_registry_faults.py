"""The tests' registry with faults: each does what it says, when it says, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

import httpx
import pytest

from support.registry import (
    Answer,
    ChunkLimits,
    ClaimBlob,
    Cookies,
    CreatedOnPatch,
    CutRequest,
    DeclineMount,
    Endpoint,
    FakeRegistry,
    Fault,
    KeepPart,
    Location,
    LoseTail,
    LoseUpload,
    MaxBody,
    MisreportRange,
    NoReferrers,
    Redirect,
    RefuseBlob,
    SetHeader,
    ShareOnReference,
    every,
    first,
    nth,
)
from support.registry.client import BLOB, CONFIG, DIGEST, MANIFEST, Client, code, manifest, where

Act = Callable[[Client], httpx.Response]

ACTS: dict[Endpoint, Act] = {
    Endpoint.PING: lambda client: client.get("/v2/"),
    Endpoint.TOKEN: lambda client: client.get("/token"),
    Endpoint.BLOB_HEAD: Client.blob_head,
    Endpoint.BLOB_GET: Client.blob,
    Endpoint.BLOB_DELETE: lambda client: client.delete(f"/v2/m/blobs/{DIGEST}"),
    Endpoint.MOUNT: lambda client: client.start("m", f"?mount={DIGEST}&from=team/model"),
    Endpoint.UPLOAD_START: Client.start,
    Endpoint.UPLOAD_STATUS: lambda client: client.status(client.start()),
    Endpoint.UPLOAD_PATCH: lambda client: client.chunk(client.start(), 0, 10),
    Endpoint.UPLOAD_PUT: Client.upload,
    Endpoint.UPLOAD_DELETE: lambda client: client.delete(where(client.start())),
    Endpoint.MANIFEST_HEAD: lambda client: client.head("/v2/m/manifests/1"),
    Endpoint.MANIFEST_GET: Client.manifest,
    Endpoint.MANIFEST_PUT: Client.put_manifest,
    Endpoint.MANIFEST_DELETE: lambda client: client.delete("/v2/m/manifests/1"),
    Endpoint.TAGS: lambda client: client.get("/v2/m/tags/list"),
    Endpoint.REFERRERS: lambda client: client.get(f"/v2/m/referrers/{DIGEST}"),
}


def filled(*faults: Fault) -> FakeRegistry:
    """A registry that has the manifest's blobs in `team/model`."""
    registry = FakeRegistry(faults=faults)
    for each in (BLOB, CONFIG):
        registry.add_blob("team/model", each)
    return registry


# Which requests


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("endpoint", ACTS)
def test_any_endpoint_can_answer_something_else(endpoint: Endpoint, early: bool) -> None:
    fault = Fault(Answer(503, retry_after=7, early=early), on=endpoint, times=first(1))
    with filled(fault) as registry, Client(registry.url) as client:
        refused = ACTS[endpoint](client)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "7")
        assert registry.requests[-1].endpoint == endpoint
        received = registry.requests[-1].received
        assert received == (0 if early else len(refused.request.content))
        assert ACTS[endpoint](client).status_code != 503


@pytest.mark.parametrize(
    ("times", "failing"), [(first(2), {1, 2}), (nth(3), {3}), (every(2), {2, 4, 6})]
)
def test_a_fault_occurs_when_it_should(times: range, failing: set[int]) -> None:
    fault = Fault(Answer(500), on=Endpoint.PING, times=times)
    with filled(fault) as registry, Client(registry.url) as client:
        statuses = []
        for _ in range(6):
            assert client.blob().status_code == 200
            statuses.append(client.get("/v2/").status_code)
        assert {number for number, status in enumerate(statuses, 1) if status == 500} == failing


def test_a_fault_can_concern_one_blob_come_later_and_go() -> None:
    with filled() as registry, Client(registry.url) as client:
        assert client.upload(b"one").status_code == 201
        registry.inject(Fault(Answer(500), on=Endpoint.UPLOAD_PUT, containing=DIGEST))
        assert client.upload(b"two").status_code == 201
        assert client.upload(BLOB).status_code == 500
        registry.mend()
        assert client.upload(BLOB).status_code == 201


def test_faults_add_up_and_the_first_answer_counts() -> None:
    faults = [
        Fault(SetHeader("Warning", '299 - "deprecated"')),
        Fault(Answer(429, retry_after=90, dated=True), on=Endpoint.PING),
        Fault(Answer(500)),
    ]
    with filled(*faults) as registry, Client(registry.url) as client:
        ping, other = client.get("/v2/"), client.blob()
        assert (ping.status_code, other.status_code) == (429, 500)
        assert (code(ping), code(other)) == ("TOOMANYREQUESTS", "UNKNOWN")
        assert ping.headers["Warning"] == other.headers["Warning"] == '299 - "deprecated"'
        until = parsedate_to_datetime(ping.headers["Retry-After"]) - datetime.now(UTC)
        assert timedelta(seconds=80) < until < timedelta(seconds=91)


@pytest.mark.parametrize(
    ("body", "media_type"),
    [(b"<html>502</html>", "text/html"), (b"x" * (32 << 20), "text/plain"), (b"", "text/plain")],
)
def test_an_error_need_not_look_like_the_specification(body: bytes, media_type: str) -> None:
    answer = Answer(502, body=body, headers={"Content-Type": media_type})
    with filled(Fault(answer)) as registry, Client(registry.url) as client:
        response = client.get("/v2/")
        assert (response.content, response.headers["Content-Type"]) == (body, media_type)


@pytest.mark.parametrize(
    ("endpoint", "name", "value"),
    [
        (Endpoint.UPLOAD_PUT, "Docker-Content-Digest", f"sha256:{0:064}"),
        (Endpoint.UPLOAD_START, "Location", ""),
        (Endpoint.UPLOAD_START, "Location", None),
        (Endpoint.BLOB_HEAD, "Content-Length", "5"),
        (Endpoint.MANIFEST_PUT, "Docker-Content-Digest", None),
    ],
)
def test_a_header_can_be_wrong(endpoint: Endpoint, name: str, value: str | None) -> None:
    fault = Fault(SetHeader(name, value), on=endpoint)
    with filled(fault) as registry, Client(registry.url) as client:
        response = ACTS[endpoint](client)
        assert (response.is_success, response.headers.get(name)) == (True, value)


# Mounts and locations


def test_a_mount_can_be_declined() -> None:
    fault = Fault(DeclineMount(), on=Endpoint.MOUNT)
    with filled(fault) as registry, Client(registry.url) as client:
        declined = ACTS[Endpoint.MOUNT](client)
        assert declined.status_code == 202
        assert client.finish(declined, BLOB).status_code == 201


@pytest.mark.parametrize(
    ("style", "beginning"),
    [
        ("path", "/v2/team/model/blobs/uploads/"),
        ("name", ""),
        ("query", "http://{host}/v2/team/model/blobs/uploads/"),
        ("state", "http://{host}/v2/team/model/blobs/uploads/"),
        ("elsewhere", "http://{elsewhere}/v2/team/model/blobs/uploads/"),
    ],
)
def test_locations_have_a_style(
    style: Literal["path", "name", "query", "state", "elsewhere"], beginning: str
) -> None:
    with filled(Fault(Location(style))) as registry, Client(registry.url) as client:
        upload = client.start()
        expected = beginning.format(host=registry.host, elsewhere=registry.elsewhere)
        location = upload.headers["Location"]
        assert location.startswith(expected)
        assert "/" not in location.removeprefix(expected).partition("?")[0]
        for start in (0, 4000, 8000):
            upload = client.chunk(upload, start, min(start + 4000, len(BLOB)))
        assert client.status(upload).headers["Range"] == f"0-{len(BLOB) - 1}"
        assert client.finish(upload).status_code == 201
        assert registry.requests[-1].elsewhere == (style == "elsewhere")


def test_a_location_has_to_be_the_latest_with_its_query() -> None:
    with filled(Fault(Location("state"))) as registry, Client(registry.url) as client:
        upload = client.start()
        without = client.put(where(upload).copy_with(query=b"digest=" + DIGEST.encode()))
        assert (without.status_code, code(without)) == (404, "BLOB_UPLOAD_INVALID")
        after = client.chunk(upload, 0, 1000)
        assert client.chunk(upload, 1000, 2000).status_code == 404
        registry.inject(Fault(CutRequest(after=300), on=Endpoint.UPLOAD_PATCH))
        with pytest.raises(httpx.TransportError):
            client.chunk(after, 1000, 2000)
        assert client.status(after).status_code == 404


def test_credentials_are_not_wanted_elsewhere() -> None:
    with filled(Fault(Location("elsewhere"))) as registry, Client(registry.url) as client:
        upload = client.start()
        refused = client.patch(where(upload), headers={"Authorization": "Basic c2VjcmV0"})
        assert refused.status_code == 400
        logged = registry.requests[-1]
        assert (logged.elsewhere, logged.authorization) == (True, "Basic")
        assert "c2VjcmV0" not in repr(registry.requests)
        unsigned = where(upload).copy_with(query=None)
        assert client.patch(unsigned).status_code == 403


@pytest.mark.parametrize(
    "endpoint",
    [Endpoint.BLOB_GET, Endpoint.UPLOAD_START, Endpoint.UPLOAD_PATCH, Endpoint.UPLOAD_PUT],
)
def test_redirects_lead_elsewhere(endpoint: Endpoint) -> None:
    with filled(Fault(Redirect(), on=endpoint)) as registry, Client(registry.url) as client:
        moved = ACTS[endpoint](client)
        assert moved.status_code == 307
        request = moved.request
        followed = client.request(request.method, where(moved), content=request.content)
        assert followed.is_success
        assert [each.elsewhere for each in registry.requests[-2:]] == [False, True]


# Uploads


def test_chunks_have_limits() -> None:
    limits = Fault(ChunkLimits(1000, 4000))
    with filled(limits) as registry, Client(registry.url) as client:
        upload = client.start()
        announced = [upload.headers[f"OCI-Chunk-{each}-Length"] for each in ("Min", "Max")]
        assert announced == ["1000", "4000"]
        assert client.chunk(upload, 0, 4001).status_code == 413
        assert client.chunk(upload, 0, 4000).status_code == 202
        assert client.chunk(upload, 4000, 4500).status_code == 202
        assert client.chunk(upload, 4500, 5500).status_code == 400
        assert client.upload().status_code == 201, "a monolithic upload is no chunk"
        upload = client.start()
        for start in (0, 4000, 8000):
            client.chunk(upload, start, min(start + 4000, len(BLOB)))
        assert client.finish(upload).status_code == 201


def test_chunks_can_be_refused_or_answered_with_201() -> None:
    refusal = Answer(405, message="You must use monolithic uploads")
    monolithic = Fault(refusal, on=Endpoint.UPLOAD_PATCH)
    with filled(monolithic) as registry, Client(registry.url) as client:
        assert client.chunk(client.start(), 0, 100).status_code == 405
        assert client.upload().status_code == 201
    with filled(Fault(CreatedOnPatch())) as registry, Client(registry.url) as client:
        upload = client.start()
        assert client.chunk(upload, 0, 5000).status_code == 201
        assert client.finish(upload, BLOB[5000:]).status_code == 400
        assert client.chunk(upload, 5000, len(BLOB)).status_code == 201
        assert client.finish(upload).status_code == 201


def test_a_body_can_be_too_large() -> None:
    limit = Fault(MaxBody(5000), on=Endpoint.UPLOAD_PUT)
    with filled(limit) as registry, Client(registry.url) as client:
        assert client.upload().status_code == 413
        assert registry.requests[-1].received == 0
        url = where(client.start())
        assert client.put(url, content=iter([BLOB])).status_code == 413
        assert registry.requests[-1].received == len(BLOB)
        upload = client.chunk(client.start(), 0, 8000)
        assert client.finish(upload, BLOB[8000:]).status_code == 201


def test_an_upload_can_be_lost_wholly_or_in_part() -> None:
    faults = [
        Fault(LoseTail(300), on=Endpoint.UPLOAD_PATCH, times=nth(2)),
        Fault(KeepPart(100), on=Endpoint.UPLOAD_PATCH, times=nth(3)),
        Fault(MisreportRange(-50), on=Endpoint.UPLOAD_STATUS, times=nth(1)),
        Fault(LoseUpload(), on=Endpoint.UPLOAD_PUT, times=nth(1)),
    ]
    with filled(*faults) as registry, Client(registry.url) as client:
        upload = client.chunk(client.start(), 0, 1000)
        lost = client.chunk(upload, 1000, 2000)
        assert (lost.status_code, lost.headers["Range"]) == (416, "0-699")
        part = client.chunk(lost, 700, 2000)
        assert (part.status_code, part.headers["Range"]) == (202, "0-799")
        ranges = [client.status(part).headers["Range"] for _ in range(2)]
        assert ranges == ["0-749", "0-799"]
        assert client.chunk(part, 800, len(BLOB)).status_code == 202
        gone = client.finish(part)
        assert (gone.status_code, code(gone)) == (404, "BLOB_UPLOAD_UNKNOWN")


# Manifests and what is there


def test_a_head_can_lie_either_way() -> None:
    faults = [
        Fault(ClaimBlob(), on=Endpoint.BLOB_HEAD, times=nth(1)),
        Fault(Answer(404), on=Endpoint.BLOB_HEAD, times=nth(3)),
    ]
    with FakeRegistry(faults=faults) as registry, Client(registry.url) as client:
        assert client.blob_head().status_code == 200
        refused = client.put_manifest()
        assert (refused.status_code, code(refused)) == (400, "MANIFEST_BLOB_UNKNOWN")
        registry.add_blob("team/model", BLOB)
        assert [client.blob_head().status_code for _ in range(3)] == [200, 404, 200]


@pytest.mark.parametrize("digest", [None, f"sha256:{1:064}"])
def test_a_manifest_can_be_refused_though_all_is_there(digest: str | None) -> None:
    fault = Fault(RefuseBlob(digest), on=Endpoint.MANIFEST_PUT, times=first(2))
    with filled(fault) as registry, Client(registry.url) as client:
        refused, *others = [client.put_manifest() for _ in range(3)]
        assert [each.status_code for each in others] == [400, 201]
        assert refused.json()["errors"][0]["detail"] == (digest or DIGEST)


def test_blobs_can_be_shared_once_a_manifest_names_them() -> None:
    with filled(Fault(ShareOnReference())) as registry, Client(registry.url) as client:
        before = client.blob(repository="other")
        put = client.put_manifest(repository="other")
        after = client.blob(repository="other")
        statuses = [each.status_code for each in (before, put, after)]
        assert statuses == [404, 201, 200]
        assert client.put_manifest(data=b"{", repository="other").status_code == 400


def test_there_may_be_no_referrers() -> None:
    data = manifest(subject=json.loads(MANIFEST)["config"])
    with filled(Fault(NoReferrers())) as registry, Client(registry.url) as client:
        assert "OCI-Subject" not in client.put_manifest(data=data).headers
        assert client.get(f"/v2/team/model/referrers/{DIGEST}").status_code == 404


def test_cookies_are_set_and_not_wanted_back() -> None:
    with filled(Fault(Cookies())) as registry, Client(registry.url) as client:
        assert client.get("/v2/").cookies
        assert client.get("/v2/").status_code == 403
        client.cookies.clear()
        assert client.get("/v2/").status_code == 200
