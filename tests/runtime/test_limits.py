"""What clients cannot do: to the server, and through it to others."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.server import ServerState

from cogn_runtime.front import outgoing, protocol
from cogn_runtime.front.http import Request, Response
from cogn_runtime.front.outgoing import Outgoing
from cogn_runtime.front.protocol import MAX_HEAD_BYTES, Connection
from runtime.conftest import Serve, Server
from runtime.receiver import Receiver

MODEL = """
import cog

class Predictor:
    def run(self, text: str = "", file: cog.Path | None = None) -> str:
        return text if file is None else file.read_text()
"""


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    environment = {"COGN_URL_PRIVATE": "deny", "COGN_MAX_CONNECTIONS": "20"}
    return serve_module(MODEL, environment=environment)


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(server.client.base_url.port or 0)), 10)


def test_a_request_whose_head_is_too_long_is_refused(server: Server) -> None:
    with connect(server) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n")
        sent = 0
        try:
            while sent < 100 * MAX_HEAD_BYTES:
                sent += connection.send(b"x-more: " + b"a" * 8000 + b"\r\n")
                time.sleep(0.001)
        except OSError:
            pass
        assert sent < 100 * MAX_HEAD_BYTES
    assert server.predict(text="x")["output"] == "x"
    fits = {"x-long": "a" * 30_000}
    assert server.client.get("/livez", headers=fits).status_code == 200


HEAD = b"POST /predictions HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n"


def answers(*sent: bytes) -> list[bytes]:
    """Return what is answered, over a connection each, to bytes that are no whole request."""

    def handler(request: Request) -> Response:
        raise AssertionError("there is no request")

    async def ask() -> list[bytes]:
        config = uvicorn.Config(cast("Any", handler), interface="asgi3", log_config=None)
        config.load()
        state = ServerState()
        listening = await asyncio.get_running_loop().create_server(
            lambda: Connection(config=config, server_state=state, app_state={}), "127.0.0.1", 0
        )
        async with listening:
            port = listening.sockets[0].getsockname()[1]
            streams = []
            for each in sent:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(each)
                streams.append((reader, writer))
            found = [await asyncio.wait_for(reader.read(), 10) for reader, _ in streams]
            for _, writer in streams:
                writer.close()
            return found

    return asyncio.run(ask())


def test_a_head_that_does_not_end_is_answered_with_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_HEAD_SECONDS", 0.2)
    monkeypatch.setattr(protocol, "_OVER_SECONDS", 0.1)
    for answer in answers(b"", b"GET / HTTP/1.1\r\nhost:"):
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def test_a_body_that_does_not_end_is_answered_with_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_BODY_SECONDS", 0.2)
    monkeypatch.setattr(protocol, "_OVER_SECONDS", 0.1)
    (answer,) = answers(HEAD + b"{")
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert answer.endswith(b"\r\nconnection: close\r\n\r\nThe request body took too long")


def test_all_bodies_together_have_a_limit_and_leave_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "_BODY_SECONDS", 0.3)
    monkeypatch.setattr(protocol, "_OVER_SECONDS", 0.1)
    monkeypatch.setattr(protocol, "_MAX_BODIES_BYTES", 10)
    late, refused = answers(HEAD + b"123456", HEAD + b"78901")
    assert late.startswith(b"HTTP/1.1 408 ")
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert refused.endswith(b"The server receives too many large requests")
    (late,) = answers(HEAD + b"123456")
    assert late.startswith(b"HTTP/1.1 408 ")


def test_requests_that_are_sent_at_once_are_answered_in_their_order(server: Server) -> None:
    request = b"POST /predictions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    bodies = [b'{"input": {"text": "%d"}}' % number for number in range(20)]
    last = b"GET /nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    with connect(server) as connection:
        for body in bodies:
            connection.sendall(request + b"content-length: %d\r\n\r\n" % len(body) + body)
        connection.sendall(last)
        answer = b""
        while data := connection.recv(65536):
            answer += data
    outputs = re.findall(rb'"output":"(\d+)"', answer)
    assert outputs == [b"%d" % number for number in range(20)]
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 20
    assert answer.endswith(b"connection: close\r\n\r\n")


def test_a_client_that_asks_first_whether_to_send_a_body_is_told_to(server: Server) -> None:
    body = b'{"input": {"text": "x"}}'
    head = b"POST /predictions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    with connect(server) as connection:
        connection.sendall(head + b"expect: 100-continue\r\ncontent-length: 24\r\n\r\n")
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_body_with_two_lengths_is_refused(server: Server) -> None:
    with connect(server) as connection:
        head = b"POST /predictions HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n"
        connection.sendall(head + b"transfer-encoding: chunked\r\n\r\n{}")
        assert connection.recv(1000).startswith(b"HTTP/1.1 400 ")


def test_more_connections_than_allowed_are_refused(server: Server) -> None:
    connections = [connect(server) for _ in range(30)]
    try:
        connections[-1].sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        assert connections[-1].recv(1000).startswith(b"HTTP/1.1 503 ")
    finally:
        for each in connections:
            each.close()


def test_addresses_that_are_not_public_are_refused_for_files_and_webhooks(
    server: Server, receiver: Receiver
) -> None:
    for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "10.0.0.1"):
        failed = server.predict(file=f"http://{host}:{receiver.origin.rpartition(':')[2]}/x")
        assert failed["status"] == "failed"
        assert "which is no public address" in failed["error"], failed
    body = {"input": {"text": "x"}, "webhook": receiver.url}
    assert server.client.post("/predictions", json=body).json()["output"] == "x"
    server.wait(lambda: "which is no public address" in server.log())
    time.sleep(0.5)
    said = f"cannot send a webhook to {receiver.origin}/hook: 127.0.0.1 is at 127.0.0.1, which"
    assert server.log().count(said) <= 2  # the start or the output, and the end: none again
    assert receiver.told == []


def test_redirects_to_addresses_that_are_not_public_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The first address stands for a public one: what comes after it must be looked at too.
    looked_at: list[str] = []
    really = outgoing._connect_to_public

    def connect(host: str, port: int, timeout: float | None) -> socket.socket:
        looked_at.append(host)
        if host == "public.example":
            return socket.create_connection(redirecting.getsockname(), timeout)
        return really(host, port, timeout)

    monkeypatch.setattr(outgoing, "_connect_to_public", connect)
    with socket.create_server(("127.0.0.1", 0)) as redirecting:

        def redirect() -> None:
            connection, _ = redirecting.accept()
            with connection:
                connection.recv(65536)
                answer = b"HTTP/1.0 302 Found\r\nlocation: http://localhost:1/\r\n\r\n"
                connection.sendall(answer)

        thread = threading.Thread(target=redirect)
        thread.start()
        with pytest.raises(OSError, match="which is no public address"):
            Outgoing(deny_private=True).get("http://public.example/", 5)
        thread.join()
    assert looked_at == ["public.example", "localhost"]


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/", "http:///x", "x"])
def test_no_other_scheme_is_asked_for(url: str) -> None:
    with pytest.raises(ValueError, match=r"no http|unknown url"):
        Outgoing().get(url, 5)


def test_a_redirect_to_another_scheme_is_not_followed(receiver: Receiver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as redirecting:

        def redirect() -> None:
            connection, _ = redirecting.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.0 302 Found\r\nlocation: ftp://127.0.0.1/\r\n\r\n")

        thread = threading.Thread(target=redirect)
        thread.start()
        port = redirecting.getsockname()[1]
        with pytest.raises(OSError, match="it redirects to what is no http"):
            Outgoing().get(f"http://127.0.0.1:{port}/", 5)
        thread.join()
