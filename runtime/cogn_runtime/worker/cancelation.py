"""Ends the prediction that the main thread makes, when the front asks for it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from cog.exceptions import CancelationException
from cogn_runtime.worker.channel import Channel

__all__ = ["Cancelation"]


class Cancelation:
    """Raises `CancelationException` in the main thread by way of SIGUSR1.

    A signal reaches what only waits, such as `time.sleep` or a read from a socket. Code in C that
    neither waits nor returns to Python is not reached: the front kills the worker then. A message
    that is being sent through `channel` is sent first.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        channel.on_sent = self._raise_if_wanted
        self._running: str | None = None
        self._wanted: str | None = None
        self.is_delivered = False
        """Whether the prediction that ran last was told to end."""
        signal.signal(signal.SIGUSR1, self._interrupt)

    def expect(self, id_: str) -> None:
        """Say that a prediction was asked for: what was said of an earlier one of its id is over.

        On the thread that receives, before `running`.
        """
        if self._wanted == id_:
            self._wanted = None

    def request(self, id_: str) -> None:
        """Ask for the end of a prediction, from any thread; one that is over is left alone."""
        self._wanted = id_
        main = threading.main_thread().ident
        if main is not None:
            signal.pthread_kill(main, signal.SIGUSR1)

    @contextlib.contextmanager
    def running(self, id_: str) -> Iterator[None]:
        """Within the block, in the main thread, the prediction can be canceled."""
        self.is_delivered = False
        self._running = id_
        try:
            self._raise_if_wanted()  # it may have been asked for before
            yield
        finally:
            self._running = None

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        if not self._channel.is_sending:
            self._raise_if_wanted()

    def _raise_if_wanted(self) -> None:
        if self._running is not None and self._running == self._wanted:
            self._wanted = None
            self.is_delivered = True
            raise CancelationException
