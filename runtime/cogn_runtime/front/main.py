"""Starts the server: options, logging, the port, then the worker, until it is told to end."""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import anyio
import uvicorn
import uvloop

from cogn_runtime.front.app import App
from cogn_runtime.front.document import Document
from cogn_runtime.front.ending import Ending
from cogn_runtime.front.logs import configure
from cogn_runtime.front.measurements import Measurements
from cogn_runtime.front.options import Options, OptionsError, read_options
from cogn_runtime.front.outgoing import Outgoing
from cogn_runtime.front.protocol import Connection
from cogn_runtime.front.reaping import reap_orphans
from cogn_runtime.front.running import Predictions
from cogn_runtime.front.slots import Slots
from cogn_runtime.front.supervisor import Supervisor
from cogn_runtime.front.uploads import Uploads

__all__ = ["main"]

_BACKLOG = 2048
_KEEP_ALIVE = 75  # seconds; longer than the idle time of the usual load balancers

_LAST_ANSWERS = 30
"""Seconds that the last answers may take on their way when everything else is over."""
_SWITCH_SECONDS = 0.0005
"""How long a thread that makes a prediction's files waits while other requests are looked at."""

_log = logging.getLogger("cogn.front")


def main(argv: Sequence[str]) -> int:
    """Serve until a signal or POST /shutdown, and return the exit status."""
    try:
        options = read_options(argv)
        listener = _listen(options.host, options.port)
    except (OptionsError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    configure(options.log_level, console=options.log_console)
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.freeze()  # what is here stays: looking through it again and again would delay requests
    anyio.run(
        functools.partial(_serve, options, listener),
        backend_options={"loop_factory": uvloop.new_event_loop},
    )
    return 0


def _listen(host: str, port: int) -> socket.socket:
    """Open the port, before anything that takes time; raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise OSError(f"cannot listen on {host} port {port}: {error.strerror}") from error


class _Server(uvicorn.Server):
    """Uvicorn without its own handling of signals, which ends the process by the signal."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(options: Options, listener: socket.socket) -> None:
    document = Document.read(Path.cwd())
    slots = Slots(options.queue_size)
    supervisor = Supervisor(options.reference, options.mode, document, slots, options.care)
    measurements = Measurements()
    stop = anyio.Event()
    host, port = listener.getsockname()[:2]
    _log.info("listening on %s port %d", host, port)
    async with anyio.create_task_group() as tasks:
        predictions = Predictions(
            supervisor,
            tasks,
            measurements,
            history=options.stream_history,
            webhooks=options.webhooks,
            uploads=_uploads(options),
        )
        server = _Server(
            uvicorn.Config(
                App(supervisor, predictions, measurements, shutdown=stop.set),
                http=Connection,
                interface="asgi3",  # not to be looked at: it is a `Handler`
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=options.connections,
                timeout_keep_alive=_KEEP_ALIVE,
                timeout_graceful_shutdown=_LAST_ANSWERS,
            )
        )
        ending = Ending(supervisor, predictions, options.drain_timeout)
        tasks.start_soon(supervisor.run)
        tasks.start_soon(reap_orphans, supervisor.is_worker)
        tasks.start_soon(_handle_signals, server, stop, ending, options.await_explicit_shutdown)
        tasks.start_soon(_stop, server, stop, ending)
        await server.serve(sockets=[listener])
        tasks.cancel_scope.cancel()
    _log.info("ended")


def _uploads(options: Options) -> Uploads | None:
    return None if options.upload_url is None else Uploads(options.upload_url, Outgoing())


async def _handle_signals(
    server: _Server, stop: anyio.Event, ending: Ending, wait_for_request: bool
) -> None:
    """End the server at SIGTERM or SIGINT: the first lets predictions finish, the next does not."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            if number == signal.SIGTERM and wait_for_request:
                _log.info("ignoring SIGTERM: waiting for POST /shutdown")
            elif stop.is_set():
                server.should_exit = server.force_exit = True
                ending.hurry()
            else:
                stop.set()


async def _stop(server: _Server, stop: anyio.Event, ending: Ending) -> None:
    await stop.wait()
    await ending.drain()
    server.should_exit = True
