"""How the server ends: nothing new, the predictions that run may finish, the rest fails."""

from __future__ import annotations

import logging

import anyio

from cogn_runtime.front.jobs import ENDED
from cogn_runtime.front.running import Predictions
from cogn_runtime.front.supervisor import Supervisor

__all__ = ["Ending"]

_LAST_WEBHOOKS = 10.0
"""Seconds to tell of the predictions that failed because the server ends."""

_log = logging.getLogger("cogn.front")


class Ending:
    """Ends the predictions; they have `timeout` seconds, None is as long as they take."""

    def __init__(
        self, supervisor: Supervisor, predictions: Predictions, timeout: float | None
    ) -> None:
        self._supervisor = supervisor
        self._predictions = predictions
        self._timeout = timeout
        self._waiting = anyio.CancelScope()

    def hurry(self) -> None:
        """Wait for nothing any more."""
        self._waiting.cancel()

    async def drain(self) -> None:
        """Take nothing new, and return when all predictions are over and were told of."""
        _log.info("ending: no new requests, waiting for those being served")
        self._supervisor.drain()
        with self._waiting:
            with anyio.move_on_after(self._timeout):
                await self._predictions.idle()
                return
            _log.warning("predictions did not end within %g s", self._timeout)
            self._predictions.expire(f"{ENDED}, which had {self._timeout:g} s")
            with anyio.move_on_after(_LAST_WEBHOOKS):
                await self._predictions.idle()
