"""Webhooks: where a prediction's snapshots are sent while it is made and when it is over."""

from __future__ import annotations

import logging
import time
import urllib.error
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio
import anyio.to_thread
import msgspec

from cogn_runtime.front.outgoing import Outgoing, PrivateAddressError, shown

__all__ = ["EVENTS", "Webhook", "WebhookEvent", "WebhookOptions"]

WebhookEvent = Literal["start", "output", "logs", "completed"]
EVENTS: frozenset[WebhookEvent] = frozenset({"start", "output", "logs", "completed"})

_TIMEOUT = 30.0
_RETRIES = 12
_TRANSIENT = frozenset({429, 500, 502, 503, 504})
_AT_ONCE = 32

_log = logging.getLogger("cogn.webhook")
_encoder = msgspec.json.Encoder(order="sorted")


@dataclass(frozen=True)
class WebhookOptions:
    """What holds for all webhooks: `throttle` is in seconds, `token` goes into their headers."""

    throttle: float = 0.5
    token: str | None = None
    outgoing: Outgoing = field(default_factory=Outgoing)
    limiter: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(_AT_ONCE))
    """Bounds the requests at once, apart from the threads that serve clients."""


class Webhook:
    """Sends snapshots of one prediction to one URL, one after the other.

    A snapshot that is not sent yet gives way to a newer one, and none is sent after the last. The
    last is sent again where that may help; of the others, what is lost is lost.
    """

    def __init__(
        self,
        url: str,
        events: Collection[WebhookEvent],
        options: WebhookOptions,
        trace: Mapping[str, str],
        snapshot: Callable[[], dict[str, Any]],
    ) -> None:
        self._url = url
        self._events = events
        self._options = options
        self._snapshot = snapshot
        self._headers = {
            "Content-Type": "application/json",
            **trace,
        }
        if options.token:
            self._headers["Authorization"] = f"Bearer {options.token}"
        self._last = float("-inf")
        self._is_due = False
        self._is_over = False
        self._news = anyio.Event()

    def tell(self, event: WebhookEvent) -> None:
        """Say that something happened; logs and the start are not worth a request each time."""
        if event not in self._events:
            return
        now = time.monotonic()
        if event in {"start", "logs"} and now - self._last < self._options.throttle:
            return
        self._last = now
        self._is_due = True
        self._news.set()

    def close(self) -> None:
        """Say that the prediction is over."""
        self._is_over = True
        self._news.set()

    async def run(self) -> None:
        """Send what is due until the prediction is over and that was sent too; never raises."""
        try:
            await self._run()
        except Exception:  # noqa: BLE001 - a fault of one webhook must not end a prediction
            _log.exception("a webhook to %s", shown(self._url))

    async def _run(self) -> None:
        while True:
            await self._news.wait()
            self._news = anyio.Event()
            if self._is_over:
                break
            if self._is_due:
                self._is_due = False
                await self._send()
        if "completed" in self._events:
            for attempt in range(_RETRIES + 1):
                if not await self._send():
                    return
                if attempt < _RETRIES:
                    await anyio.sleep(0.1 * 2.0 ** min(attempt, 10))
            _log.error("gave up telling %s that the prediction is over", shown(self._url))

    async def _send(self) -> bool:
        """Send a snapshot; return whether it is worth another attempt."""
        body = _encoder.encode(self._snapshot())
        try:
            await anyio.to_thread.run_sync(
                _post,
                self._options,
                self._url,
                body,
                self._headers,
                limiter=self._options.limiter,
                abandon_on_cancel=True,
            )
        except urllib.error.HTTPError as error:
            _log.warning("%s answered a webhook with %d", shown(self._url), error.code)
            return error.code in _TRANSIENT
        except (OSError, ValueError) as error:
            _log.warning("cannot send a webhook to %s: %s", shown(self._url), error)
            return not isinstance(error, ValueError | PrivateAddressError)
        return False


def _post(options: WebhookOptions, url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Send a request; raises OSError, of which urllib's errors are kinds, or ValueError."""
    with options.outgoing.send("POST", url, body, headers, _TIMEOUT) as response:
        response.read(1 << 16)
