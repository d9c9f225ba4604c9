"""Asks our server for predictions of every kind for minutes, and watches what it keeps.

Some models fail, some die, some clients cancel or go away. Every half minute a line tells what was
asked for and what the server's first process has: a soak is good when the last line has what the
first has. Fails when an answer is wrong, a webhook is lost or told twice, or descriptors, processes
or files are left at the end. Run it with the interpreter of `.venv`.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx

sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "tests"))  # for `support`

from runtime.conftest import Server, start_servers
from support.processes import descendants, descriptors, resident
from support.receivers import Receiver

_CLIENTS = 6
_INTERVAL = 30.0

MODEL = """
import os, time
from collections.abc import Iterator
import cog

class Predictor:
    @cog.streaming
    def run(
        self, text: str, count: int = 3, how: str = "", file: cog.Path | None = None
    ) -> Iterator[str]:
        print("making", text)
        if how == "die":
            os._exit(3)
        if how == "fail":
            raise ValueError(text)
        for number in range(count):
            if how == "slow":
                time.sleep(0.01)
            yield f"{text} {number}"
"""


class Soak:
    """One client of several; `asked` counts what came of its requests."""

    def __init__(self, server: Server, receiver: Receiver, end: float, asked: Counter[str]) -> None:
        self._server = server
        self._receiver = receiver
        self._end = end
        self._asked = asked

    def run(self, seed: int) -> None:
        """Ask until the end, in ways that the seed decides."""
        chance = random.Random(seed)
        kinds: list[Callable[[str], str]] = [
            *[self._plain] * 60,
            *[self._file] * 10,
            *[self._hooked] * 10,
            *[self._streamed] * 10,
            *[self._canceled] * 5,
            *[self._left] * 4,
            self._failing,
        ]
        number = 0
        while time.monotonic() < self._end:
            number += 1
            kind = chance.choice(kinds) if chance.random() > 0.002 else self._dying
            what = kind(f"{seed}-{number}")
            self._asked[what] += 1
            if what == "refused":
                time.sleep(0.01)

    def _post(self, id_: str, how: str = "", file: str | None = None, **body: object) -> str:
        """Ask for a prediction and wait for it; return how it ended, or `refused`."""
        body |= {"id": id_, "input": {"text": id_, "how": how, "file": file}}
        answer = self._server.client.post("/predictions", json=body)
        if answer.status_code in (409, 503):
            return "refused"
        made = answer.json()
        assert (answer.status_code, made["id"]) == (200, id_), answer.text
        if made["status"] == "succeeded":
            assert made["output"] == [f"{id_} {number}" for number in range(3)], made
            assert made["logs"] == f"making {id_}\n", made
        elif how != "fail" and made["status"] == "failed":
            assert made["error"].startswith("Worker crashed"), made
        status: str = made["status"]
        return status

    def _plain(self, id_: str) -> str:
        return self._post(id_)

    def _file(self, id_: str) -> str:
        return self._post(id_, file="data:text/plain," + "x" * 100_000)

    def _failing(self, id_: str) -> str:
        return self._post(id_, how="fail")

    def _dying(self, id_: str) -> str:
        return self._post(id_, how="die")

    def _hooked(self, id_: str) -> str:
        url, events = f"{self._receiver.url}/{id_}", ["completed"]
        status = self._post(id_, webhook=url, webhook_events_filter=events)
        if status != "refused":
            self._asked["webhooks"] += 1
        return status

    def _streamed(self, id_: str) -> str:
        body = {"input": {"text": id_, "count": 50}}
        accept = {"accept": "text/event-stream"}
        path = f"/predictions/{id_}"
        with self._server.client.stream("PUT", path, json=body, headers=accept) as answer:
            if answer.status_code in (409, 503):
                return "refused"
            last = answer.read().rpartition(b"event: ")[2]
        assert last.startswith(b"completed"), last
        return "streamed"

    def _canceled(self, id_: str) -> str:
        body = {"id": id_, "input": {"text": id_, "how": "slow", "count": 100}}
        headers = {"prefer": "respond-async"}
        answer = self._server.client.post("/predictions", json=body, headers=headers)
        if answer.status_code != 202:
            return "refused"
        self._server.client.post(f"/predictions/{id_}/cancel")
        return "canceled"

    def _left(self, id_: str) -> str:
        body = {"id": id_, "input": {"text": id_, "how": "slow", "count": 100}}
        with suppress(httpx.TimeoutException):
            self._server.client.post("/predictions", json=body, timeout=0.1)
        return "left"


def main() -> None:
    """Run the soak."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cogn-soak-") as name:
        directory = Path(name)
        servers = start_servers(directory)
        try:
            _check(next(servers)(MODEL, environment={"COGN_QUEUE_SIZE": "4"}), arguments.minutes)
        finally:
            next(servers, None)  # which ends them
        left = [path.name for path in directory.iterdir() if path.name.startswith("cogn-")]
        assert left == [], left
    print("nothing is left")


def _check(server: Server, minutes: float) -> None:
    """Ask a server for so many minutes, end it, and see that all was answered and nothing kept."""
    before = _kept(server)
    with Receiver() as receiver:
        asked = _soaked(server, receiver, minutes * 60)
        told = Counter(request.path for request in receiver.requests)
    assert max(told.values(), default=1) == 1, "a webhook was told twice"
    assert len(told) == asked["webhooks"], "a webhook was lost"
    assert _kept(server) == before, (before, _kept(server))
    server.process.terminate()
    assert server.process.wait(30) == 0


def _soaked(server: Server, receiver: Receiver, seconds: float) -> Counter[str]:
    """Ask for so many seconds; return what came of the requests."""
    asked: Counter[str] = Counter()
    begin = time.monotonic()
    end = begin + seconds
    with ThreadPoolExecutor(_CLIENTS) as pool:
        soak = Soak(server, receiver, end, asked)
        clients = [pool.submit(soak.run, seed) for seed in range(_CLIENTS)]
        while time.monotonic() < end:
            time.sleep(min(_INTERVAL, max(0.0, end - time.monotonic())))
            pid = server.process.pid
            counts = ", ".join(f"{what} {count}" for what, count in sorted(asked.items()))
            print(
                f"{time.monotonic() - begin:6.0f} s  {resident(pid):4.0f} MB  "
                f"{len(descriptors(pid)):3} descriptors  {counts}",
                flush=True,
            )
        for client in clients:
            client.result()
    time.sleep(1)  # the last webhooks
    return asked


def _kept(server: Server) -> tuple[int, list[str]]:
    """Return how many processes the idle server has started, and what its descriptors are."""
    server.client.close()
    server.client = httpx.Client(base_url=server.client.base_url, timeout=60)
    server.wait_for("READY")
    time.sleep(0.5)
    pid = server.process.pid
    return len(descendants(pid)), descriptors(pid)


if __name__ == "__main__":
    main()
