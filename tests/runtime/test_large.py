"""Large values and floods: what passes, and what is too much."""

from __future__ import annotations

import hashlib
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from runtime.conftest import Serve, Server

MODEL = """
import os
from collections.abc import Iterator
from typing import Any

import cog

def echo(text: str, times: int = 1) -> str:
    return text * times

def flood(what: str) -> Iterator[str]:
    if what == "items":
        while True:
            yield "x" * 1_000_000
    if what == "metrics":
        for number in range(200_000):
            cog.current_scope().metrics.record("list", "y" * 100, mode="append")
    if what == "line":
        for number in range(300):
            os.write(1, b"z" * 1_000_000)
    if what == "lines":
        for number in range(300):
            os.write(1, b"short\\\\n" * 150_000)
    if what == "frames":
        garbage = b"\\\\0\\\\1\\\\0\\\\0" + b" " * 65536
        for descriptor in range(3, 20):
            try:
                while True:
                    os.write(descriptor, garbage)
            except OSError:
                pass
    if what == "error":
        raise ValueError("e" * 30_000_000)
    yield "fine"
"""


def peak(server: Server) -> int:
    """The most memory that the server's process ever had, in MiB."""
    status = Path(f"/proc/{server.process.pid}/status").read_text("utf-8")
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert match
    return int(match[1]) // 1024


def test_large_inputs_and_outputs_pass_through_files_that_are_removed(
    serve: Serve, tmp_path: Path
) -> None:
    server = serve(MODEL, reference="predict.py:echo")
    text = "ä" * 10_000_000
    assert server.predict(text=text)["output"] == text
    assert server.predict(text="x" * 5_000_000, times=20)["output"] == "x" * 100_000_000
    (directory,) = tmp_path.glob("cogn-parcels-*")
    assert list(directory.iterdir()) == []
    server.process.terminate()
    assert server.process.wait(10) == 0
    assert not directory.exists()


def test_a_prediction_is_canceled_while_it_sends_and_the_worker_goes_on(serve: Serve) -> None:
    source = """
    import os
    from collections.abc import Iterator

    def flood(times: int) -> Iterator[str]:
        for _ in range(times):
            yield str(os.getpid()) + "x" * 3_000_000
    """
    server = serve(source, reference="predict.py:flood")
    before = server.predict(times=1)["output"]
    headers = {"prefer": "respond-async"}
    for number in range(8):
        body = {"input": {"times": 80}}
        server.client.put(f"/predictions/{number}", json=body, headers=headers)
        time.sleep(0.02 * number)
        server.client.post(f"/predictions/{number}/cancel")
        server.wait_for("READY")
    assert server.predict(times=1)["output"] == before


def test_an_output_that_is_too_large_fails_the_prediction(serve: Serve) -> None:
    server = serve(MODEL, reference="predict.py:echo")
    failed = server.predict(text="x" * 1_000_000, times=300)
    error = r"cannot send the output: 3000000\d\d bytes of JSON, and 268435456 are allowed"
    assert re.fullmatch(error, failed["error"])
    assert server.predict(text="x")["output"] == "x"


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("items", {"error": "the output has more than 268435456 bytes"}),
        ("metrics", {"output": ["fine"]}),
        ("line", {"output": ["fine"]}),
        ("lines", {"output": ["fine"]}),
        ("error", {"error": f"ValueError: {'e' * (65536 - 12)}..."}),
    ],
)
def test_a_flood_is_bounded(serve: Serve, what: str, expected: dict[str, Any]) -> None:
    server = serve(MODEL, reference="predict.py:flood")
    server.client.timeout = 120
    prediction = server.predict(what=what)
    assert prediction | expected == prediction
    assert len(prediction["logs"]) < 5_000_000
    assert peak(server) < (900 if what == "items" else 200)
    server.wait_for("READY")
    assert server.predict(what="")["output"] == ["fine"]


def test_a_worker_that_floods_the_socket_is_replaced(serve: Serve) -> None:
    server = serve(MODEL, reference="predict.py:flood")
    failed = server.predict(what="frames")
    assert failed["error"].startswith("Worker crashed: it broke the protocol: ")
    assert peak(server) < 200
    server.wait_for("READY")


def test_large_objects_are_as_they_were_sent_and_checked_as_all_are(serve: Serve) -> None:
    source = """
    import hashlib, json, time
    import cog

    def run(data: dict, other: dict | None = None, count: int = 1, wait: bool = False) -> str:
        if wait:
            time.sleep(60)
        return hashlib.sha256(json.dumps([data, other, count]).encode()).hexdigest()
    """
    server = serve(source, reference="predict.py:run")
    data = {"words": [f"w\u00f6rd {number} \U0001f333" for number in range(10_000)]}
    for other in ({"a": {"b": [1, 2.5, None]}}, None):
        told = json.dumps([data, other, 2]).encode()
        made = server.predict(data=data, other=other, count=2)
        assert made["output"] == hashlib.sha256(told).hexdigest()
    refused = server.post(data=list(data), other=data, count="x")
    assert [each["msg"] for each in refused.json()["detail"]] == [
        '"x" is not of type "integer"',
        '["words"] is not of type "object"',
    ]
    body = json.dumps({"input": {"data": data}}).encode().replace(b"w\\u00f6rd 77 ", b"w\xffrd")
    headers = {"content-type": "application/json"}
    broken = server.client.post("/predictions", content=body, headers=headers)
    assert (broken.status_code, broken.text[:28]) == (400, "The request body is not JSON")
    body = json.dumps({"input": {"data": data, "wait": True}}).encode()
    later = {**headers, "prefer": "respond-async"}
    assert server.client.put("/predictions/one", content=body, headers=later).status_code == 202
    known = server.client.put("/predictions/one", content=b"{}", headers=headers).json()
    assert known["input"] == {"data": data, "wait": True}
    assert server.client.post("/predictions/one/cancel").status_code == 200
