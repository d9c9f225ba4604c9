"""The bytes between the tests' registry and its clients, whole and broken."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.registry import (
    Basic,
    CutRequest,
    CutResponse,
    Endpoint,
    FakeRegistry,
    Fault,
    Silence,
    SlowRequest,
    SlowResponse,
    digest_of,
    first,
)
from support.registry.client import BLOB, DIGEST, Client, where


def address(host: str) -> tuple[str, int]:
    name, _, port = host.partition(":")
    return name, int(port)


def conversation(host: str, *parts: bytes) -> Iterator[bytes]:
    """Send the parts, one after each answer; give what comes and at last how it ended."""
    with socket.create_connection(address(host), timeout=5) as sock:
        for part in parts[:-1]:
            sock.sendall(part)
            yield sock.recv(1 << 16)
        sock.sendall(parts[-1])
        try:
            while data := sock.recv(1 << 16):
                yield data
            yield b"FIN"
        except ConnectionResetError:
            yield b"RST"


def head(method: str, target: str, *headers: str) -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: h", *headers, "", ""]).encode()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /v2/\r\n\r\n", 400),
        (b"\x16\x03\x01\x00\xee", 400),
        (b"GET http://h/v2/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\n\r\n", 400),
        (b"GET /v2/ HTTP/2\r\n\r\n", 505),
        (head("GET", "/v2/", "Bad header: 1"), 400),
        (head("GET", "/v2/", "Long: " + "x" * 70_000), 431),
        (head("PUT", "/v2/", "Content-Length: x"), 400),
        (head("PUT", "/v2/", "Content-Length: 1", "Content-Length: 1"), 400),
        (head("PUT", "/v2/", "Content-Length: 1", "Transfer-Encoding: chunked"), 400),
        (head("PUT", "/token", "Content-Length: 1"), 405),
        (head("POST", "/token", "Transfer-Encoding: chunked") + b"x\r\n", 400),
        (head("POST", "/token", "Transfer-Encoding: chunked") + b"1\r\nxx\r\n0\r\n\r\n", 400),
        (head("POST", "/token", "Content-Length: 99999999999"), 413),
    ],
)
def test_malformed_requests_end_the_connection(data: bytes, status: int) -> None:
    with FakeRegistry() as registry:
        answer, *_, end = conversation(registry.host, data)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        assert (b"Connection: close" in answer, end) == (True, b"FIN")


def test_requests_may_follow_each_other_without_waiting() -> None:
    with FakeRegistry() as registry:
        ping, last = head("GET", "/v2/"), head("GET", "/v2/", "Connection: close")
        answers = b"".join(conversation(registry.host, ping + ping + last))
        assert answers.count(b"HTTP/1.1 200 OK") == 3


def test_a_client_may_wait_for_100_continue() -> None:
    digest = digest_of(b"body")
    upload = head(
        "POST",
        f"/v2/m/blobs/uploads/?digest={digest}",
        "Content-Length: 4",
        "Expect: 100-continue",
        "Connection: close",
    )
    with FakeRegistry() as registry:
        first_line, answer, *_ = conversation(registry.host, upload, b"body")
        assert first_line == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert answer.startswith(b"HTTP/1.1 201 Created")
    with FakeRegistry(auth=Basic("me", "secret")) as registry:
        answer, *_ = conversation(registry.host, upload)
        assert answer.startswith(b"HTTP/1.1 401 Unauthorized")
        assert registry.requests[0].received == 0


def test_closing_takes_no_time_and_leaves_no_thread() -> None:
    before = threading.enumerate()
    waiting = [
        Fault(SlowResponse(1, 60.0), on=Endpoint.PING),
        Fault(SlowRequest(1, 60.0), on=Endpoint.UPLOAD_START),
        Fault(Silence(60.0), on=Endpoint.TAGS),
    ]
    with FakeRegistry(faults=waiting) as registry:
        requests = [
            head("GET", "/v2/"),
            head("POST", "/v2/m/blobs/uploads/", "Content-Length: 9") + b"abc",
            head("GET", "/v2/m/tags/list"),
            b"GET /v2/ HT",
            b"",
        ]
        sockets = [socket.create_connection(address(registry.host)) for _ in requests]
        for sock, data in zip(sockets, requests, strict=True):
            sock.sendall(data)
        assert sockets[0].recv(1) == b"H"
        start = time.monotonic()
    assert time.monotonic() - start < 0.5
    assert threading.enumerate() == before
    for sock in sockets:
        sock.close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_it_speaks_tls(tmp_path: Path) -> None:
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "certificate")]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *files, *name],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    trust = ssl.create_default_context(cafile=tmp_path / "certificate")
    faults = [Fault(CutRequest(5000), on=Endpoint.UPLOAD_PATCH, times=first(1))]
    with (
        FakeRegistry(tls=context, faults=faults) as registry,
        Client(registry.url, verify=trust) as client,
    ):
        upload = client.start()
        with pytest.raises(httpx.TransportError):
            client.chunk(upload, 0, len(BLOB))
        assert client.status(upload).headers["Range"] == "0-4999"
        client.chunk(upload, 5000, len(BLOB))
        assert client.finish(upload).status_code == 201


@pytest.mark.parametrize(("reset", "end"), [(True, b"RST"), (False, b"FIN")])
@pytest.mark.parametrize(
    ("after", "kept", "there"),
    [(0, None, 0), (5000, None, 5000), (5000, 1000, 1000), (5000, 0, 0), (None, None, len(BLOB))],
)
def test_a_request_is_cut(
    after: int | None, kept: int | None, there: int, reset: bool, end: bytes
) -> None:
    cut = Fault(CutRequest(after, kept, reset), on=Endpoint.UPLOAD_PATCH, times=first(1))
    with FakeRegistry(faults=[cut]) as registry, Client(registry.url) as client:
        upload = client.start()
        chunk = head("PATCH", where(upload).path, f"Content-Length: {len(BLOB)}") + BLOB
        assert list(conversation(registry.host, chunk)) == [end]
        logged = registry.requests[-1]
        assert (logged.received, logged.status) == (len(BLOB) if after is None else after, None)
        assert client.status(upload).headers["Range"] == f"0-{max(there - 1, 0)}"
        assert client.chunk(upload, there, len(BLOB)).status_code == 202
        assert client.finish(upload).status_code == 201


def test_a_client_that_leaves_has_sent_what_it_has_sent() -> None:
    with FakeRegistry() as registry, Client(registry.url) as client:
        upload = client.start()
        target = f"{where(upload).path}?digest={DIGEST}"
        with socket.create_connection(address(registry.host)) as sock:
            sock.sendall(head("PUT", target, f"Content-Length: {len(BLOB)}") + BLOB[:700])
            sock.shutdown(socket.SHUT_WR)
            assert sock.recv(1) == b""
        assert client.status(upload).headers["Range"] == "0-699"
        assert registry.repositories == {}


def test_a_cut_beyond_the_end_does_nothing() -> None:
    beyond = 10 * len(BLOB)
    faults = [Fault(CutRequest(beyond)), Fault(CutResponse(beyond))]
    with FakeRegistry(faults=faults) as registry, Client(registry.url) as client:
        assert client.upload().status_code == 201


@pytest.mark.parametrize(("reset", "end"), [(True, b"RST"), (False, b"FIN")])
@pytest.mark.parametrize(
    ("after", "of_body", "status"), [(0, False, None), (40, False, 200), (300, True, 200)]
)
def test_a_response_is_cut(
    after: int, of_body: bool, status: int | None, reset: bool, end: bytes
) -> None:
    cut = Fault(CutResponse(after, of_body, reset), on=Endpoint.BLOB_GET)
    with FakeRegistry(faults=[cut]) as registry:
        digest = registry.add_blob("m", BLOB)
        *parts, last = conversation(registry.host, head("GET", f"/v2/m/blobs/{digest}"))
        answer = b"".join(parts)
        assert last == end
        assert registry.requests[0].status == status
        if of_body:
            assert answer.partition(b"\r\n\r\n")[2] == BLOB[:after]
        else:
            assert (len(answer), registry.sent) == (after, after)


def test_a_response_that_is_cut_does_not_undo_the_request() -> None:
    cut = Fault(CutResponse(), on=Endpoint.UPLOAD_PUT)
    with FakeRegistry(faults=[cut]) as registry, Client(registry.url) as client:
        with pytest.raises(httpx.ReadError):
            client.upload()
        assert registry.repositories["team/model"].blobs == {DIGEST: BLOB}


def test_bodies_and_responses_can_be_slow() -> None:
    faults = [
        Fault(SlowRequest(2048, 0.02), on=Endpoint.UPLOAD_PUT),
        Fault(SlowResponse(2048, 0.02), on=Endpoint.BLOB_GET),
    ]
    with FakeRegistry(faults=faults) as registry, Client(registry.url) as client:
        start = time.monotonic()
        assert client.upload().status_code == 201
        uploaded = time.monotonic()
        assert client.blob().content == BLOB
        assert uploaded - start > 0.1
        assert time.monotonic() - uploaded > 0.1


def test_silence_has_an_end() -> None:
    silence = Fault(Silence(0.1), on=Endpoint.UPLOAD_PUT)
    with FakeRegistry(faults=[silence]) as registry, Client(registry.url) as client:
        upload = client.start()
        with pytest.raises(httpx.ReadTimeout):
            client.put(where(upload), timeout=0.02)
        with pytest.raises(httpx.ReadError):
            client.put(where(upload))
        assert registry.uploads == 1
