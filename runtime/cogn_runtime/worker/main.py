"""The life of a worker: load the model, set it up, make predictions."""

from __future__ import annotations

import contextlib
import faulthandler
import inspect
import io
import os
import sys
from collections.abc import Iterator

from cogn_runtime.schema import SignatureError
from cogn_runtime.worker import serial
from cogn_runtime.worker.channel import Channel
from cogn_runtime.worker.failures import describe, flush, print_traceback
from cogn_runtime.worker.loader import LoadError, Model, load
from cogn_runtime.worker.usage import gpu_memory

__all__ = ["main"]


def main(fd: int, parcels: str, mode: str, reference: str) -> None:
    """Serve the front at the other end of the socket `fd` until it says stop.

    What is too large for the socket passes through the directory `parcels`. With the mode `train`,
    the model at `reference` trains.
    """
    _prepare_process()
    channel = Channel(fd, parcels)
    channel.on_usage = lambda: channel.send("usage", gpus=gpu_memory())
    # A model may call sys.exit() or interrupt itself anywhere: that fails what it was doing and
    # not the worker, hence BaseException.
    try:
        model = load(reference, mode)
        channel.send(
            "loaded",
            signature=model.signature.to_json(),
            slots=model.slots,
            has_healthcheck=model.healthcheck is not None,
        )
        if model.signature.is_async:
            _serve_async(model, channel)
            return
        outcome = model.setup()
        if inspect.isawaitable(outcome):
            import asyncio  # late: most models do without

            asyncio.run(_awaited(outcome))
    except (LoadError, SignatureError) as error:
        channel.send("setup_failed", error=str(error))
        return
    except BaseException as error:  # noqa: BLE001
        _fail_setup(error, channel)
        return
    flush()
    if model.healthcheck is not None:
        from cogn_runtime.worker.health import answer_in_thread  # late: most models have none

        answer_in_thread(model.healthcheck, channel)
    serial.serve(model, channel)
    _tear_down(model)


def _serve_async(model: Model, channel: Channel) -> None:
    """Set the model up in the event loop in which it makes predictions, and serve."""
    import asyncio  # late: most models do without

    from cogn_runtime.worker.concurrent import Loop
    from cogn_runtime.worker.health import answer_in_loop

    async def serve() -> None:
        try:
            outcome = model.setup()
            if inspect.isawaitable(outcome):
                await outcome
        except BaseException as error:  # noqa: BLE001
            _fail_setup(error, channel)
            return
        flush()
        if model.healthcheck is not None:
            answer_in_loop(model.healthcheck, channel)
        await Loop(model, channel, model.slots).serve()
        if model.teardown is not None:
            with _telling():
                outcome = model.teardown()
                if inspect.isawaitable(outcome):
                    await outcome

    asyncio.run(serve())


def _tear_down(model: Model) -> None:
    """Let the model end; nobody is there any more whom an exception could be told."""
    if model.teardown is None:
        return
    with _telling():
        outcome = model.teardown()
        if inspect.isawaitable(outcome):
            import asyncio  # late: most models do without

            asyncio.run(_awaited(outcome))


@contextlib.contextmanager
def _telling() -> Iterator[None]:
    """Print what is raised in the block, and go on."""
    try:
        yield
    except BaseException as error:  # noqa: BLE001
        print_traceback(error)
    flush()


async def _awaited(outcome: object) -> None:
    assert inspect.isawaitable(outcome)
    await outcome


def _fail_setup(error: BaseException, channel: Channel) -> None:
    print_traceback(error)
    flush()
    channel.send("setup_failed", error=describe(error))


def _prepare_process() -> None:
    """Make this process look to the model like a plain `python` started in its directory."""
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - sys.path holds strings
    sys.argv[1:] = []
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    faulthandler.enable()
