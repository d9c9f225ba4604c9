"""The model's own `healthcheck()`: whether it is well, asked for while it may be busy."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from typing import Any

from cogn_runtime.worker.channel import Channel
from cogn_runtime.worker.failures import describe

__all__ = ["answer_in_loop", "answer_in_thread"]

HealthCheck = Callable[[], Any]

_REFUSED = "Healthcheck failed: user-defined healthcheck returned False"


def answer_in_thread(check: HealthCheck, channel: Channel) -> None:
    """Answer when the front asks, on a thread: a prediction may hold the main one.

    While an earlier check still runs, no other is begun: its answer will do.
    """
    one = threading.Lock()

    def run() -> None:
        if not one.acquire(blocking=False):
            return
        try:
            outcome = check()
            if inspect.isawaitable(outcome):
                outcome = asyncio.run(_awaited(outcome))
        except BaseException as error:  # noqa: BLE001 - whatever the model raises
            channel.send("health", error=describe(error))
        else:
            channel.send("health", error=None if outcome else _REFUSED)
        finally:
            one.release()

    channel.on_healthcheck = lambda: threading.Thread(
        target=run, name="cogn-healthcheck", daemon=True
    ).start()


def answer_in_loop(check: HealthCheck, channel: Channel) -> None:
    """Answer each time the front asks, as a task of the running loop if it is asynchronous."""
    if not inspect.iscoroutinefunction(check):
        answer_in_thread(check, channel)
        return
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    async def run() -> None:
        try:
            outcome = await check()
        except BaseException as error:  # noqa: BLE001 - whatever the model raises
            channel.send("health", error=describe(error))
        else:
            channel.send("health", error=None if outcome else _REFUSED)

    def start() -> None:
        task = loop.create_task(run())
        tasks.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(tasks.discard)

    channel.on_healthcheck = lambda: loop.call_soon_threadsafe(start)


async def _awaited(outcome: Any) -> object:  # noqa: ANN401 - an awaitable of anything
    return await outcome
