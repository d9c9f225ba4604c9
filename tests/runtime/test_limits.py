"""What clients cannot do: to the server, and through it to others."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import MutableMapping
from typing import Any

import anyio
import pytest
import uvicorn
from uvicorn.server import ServerState

from cogn_runtime.front import http, outgoing, protocol
from cogn_runtime.front.http import RefusedError, Request
from cogn_runtime.front.outgoing import Outgoing
from cogn_runtime.front.protocol import MAX_HEAD_BYTES, BoundedProtocol
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


def test_a_head_that_does_not_end_is_answered_with_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_HEAD_SECONDS", 0.2)

    async def app(scope: object, receive: object, send: object) -> None:
        raise AssertionError("there is no request")

    async def ask(sent: bytes) -> bytes:
        config = uvicorn.Config(app, ws="none", lifespan="off", log_config=None)
        config.load()
        listening = await asyncio.get_running_loop().create_server(
            lambda: BoundedProtocol(config=config, server_state=ServerState(), app_state={}),
            "127.0.0.1",
            0,
        )
        async with listening:
            port = listening.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            answer = await asyncio.wait_for(reader.read(), 10)
            writer.close()
            return answer

    for sent in (b"", b"GET / HTTP/1.1\r\nhost:"):
        assert asyncio.run(ask(sent)).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def receiving(*parts: bytes) -> Request:
    """A request whose body begins with `parts` and never ends."""
    events = [{"type": "http.request", "body": each, "more_body": True} for each in parts]

    async def receive() -> MutableMapping[str, Any]:
        if not events:
            await anyio.sleep_forever()
        return events.pop(0)

    return Request({"method": "POST", "path": "/", "raw_path": b"/", "headers": []}, receive)


def refusal(request: Request) -> tuple[int, bytes]:
    with pytest.raises(RefusedError) as refused:
        anyio.run(request.body)
    return refused.value.response.status, refused.value.response.body


def test_a_body_that_does_not_end_is_answered_with_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_BODY_SECONDS", 0.1)
    assert refusal(receiving(b"{")) == (408, b"The request body took too long")


def test_all_bodies_together_have_a_limit_and_leave_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "_BODY_SECONDS", 0.1)
    monkeypatch.setattr(http, "_MAX_BODIES_BYTES", 10)
    too_many = (503, b"The server receives too many large requests")
    assert refusal(receiving(b"123456", b"78901")) == too_many
    assert refusal(receiving(b"123456"))[0] == 408


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
