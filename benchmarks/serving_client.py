"""A closed-loop client: a connection sends its next request when it has the answer to the last."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Load", "Request", "measure", "wrk"]

_BLOCK = 1 << 22


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent to a server of this machine again and again.

    An answer is a success if its status is 200 and `sign` is in its body.
    """

    path: str
    body: bytes
    sign: bytes
    accept: str = "*/*"

    @property
    def head(self) -> bytes:
        """The request's first lines, to the empty one."""
        lines = (
            f"POST {self.path} HTTP/1.1",
            "host: 127.0.0.1",
            f"accept: {self.accept}",
            "content-type: application/json",
            f"content-length: {len(self.body)}",
        )
        return "\r\n".join([*lines, "", ""]).encode()


@dataclass(slots=True)
class Load:
    """What came of it: `latencies` of the successes in seconds, `seconds` in all."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    refused: int = 0
    failed: int = 0

    @property
    def rate(self) -> float:
        """Successes a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Return the latency in seconds that this share of successes kept to; NaN of none."""
        if not self.latencies:
            return float("nan")
        ordered = sorted(self.latencies)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def measure(port: int, request: Request, *, connections: int, seconds: float) -> Load:
    """Ask for `seconds` over so many connections; what is in flight then is waited for."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_measured(port, request, connections, seconds))


async def _measured(port: int, request: Request, connections: int, seconds: float) -> Load:
    load = Load()
    begin = time.perf_counter()
    end = begin + seconds
    await asyncio.gather(*(_connection(port, request, load, end) for _ in range(connections)))
    load.seconds = time.perf_counter() - begin
    return load


async def _connection(port: int, request: Request, load: Load, end: float) -> None:
    head = request.head
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    while (begin := time.perf_counter()) < end:
        keeps = False
        try:
            if streams is None:
                streams = await asyncio.open_connection("127.0.0.1", port, limit=_BLOCK)
            reader, writer = streams
            writer.writelines((head, request.body))
            await writer.drain()
            status, body, keeps = await _answer(reader)
        except (OSError, asyncio.IncompleteReadError):
            load.failed += 1
        else:
            if status == 200 and request.sign in body:
                load.latencies.append(time.perf_counter() - begin)
            elif status in (409, 429, 503):
                load.refused += 1
            else:
                load.failed += 1
        if streams is not None and not keeps:
            streams[1].close()
            streams = None
    if streams is not None:
        streams[1].close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes, bool]:
    """Return the status and body of an answer, and whether the connection stays open."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head[9:12])
    keeps = b"\r\nconnection: close" not in head
    if b"\r\ntransfer-encoding: chunked" in head:
        parts = []
        while length := int(await reader.readuntil(b"\r\n"), 16):
            parts.append((await reader.readexactly(length + 2))[:-2])
        await reader.readexactly(2)
        return status, b"".join(parts), keeps
    if match := re.search(rb"\r\ncontent-length: *(\d+)", head):
        return status, await reader.readexactly(int(match[1])), keeps
    return status, await reader.read(), False


_SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local file = io.open(os.getenv("WRK_BODY"), "rb")
wrk.body = file:read("*a")
file:close()
"""


def wrk(
    port: int, request: Request, *, connections: int, seconds: float, work: Path
) -> float | None:
    """Return the answers of status 2xx a second that wrk counts; None where there is no wrk."""
    if shutil.which("wrk") is None:
        return None
    (work / "wrk.lua").write_text(_SCRIPT)
    (work / "wrk.body").write_bytes(request.body)
    result = subprocess.run(
        [
            *("wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"),
            *("-s", work / "wrk.lua", f"http://127.0.0.1:{port}{request.path}"),
        ],
        env=os.environ | {"WRK_BODY": str(work / "wrk.body")},
        capture_output=True,
        text=True,
        check=True,
    )
    total = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", result.stdout)
    assert total, result.stdout
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", result.stdout)
    unit = {"ms": 0.001, "s": 1.0, "m": 60.0}[total[3]]
    return (int(total[1]) - int(refused[1] if refused else 0)) / (float(total[2]) * unit)
