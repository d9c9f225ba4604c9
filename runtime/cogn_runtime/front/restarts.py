"""How workers are treated: how long they may take, how often one that died is replaced."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Care", "Restarts"]

_FIRST_DELAY = 0.5
_LONGEST_DELAY = 30.0

_log = logging.getLogger("cogn.worker")


@dataclass(frozen=True, kw_only=True)
class Care:
    """How workers are treated. Times are in seconds; without a `setup_timeout` there is no limit.

    `max_restarts` is how often in a row a worker that died is replaced, None always. `ready_file`
    is there as long as the model is ready.
    """

    setup_timeout: float | None
    cancel_timeout: float
    teardown_timeout: float
    max_restarts: int | None
    ready_file: Path | None

    def tell_ready(self, *, is_ready: bool) -> None:
        """Make or remove the file that says whether the model is ready."""
        if self.ready_file is None:
            return
        try:
            if is_ready:
                self.ready_file.parent.mkdir(parents=True, exist_ok=True)
                self.ready_file.touch()
            else:
                self.ready_file.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("cannot say in %s whether the model is ready: %s", self.ready_file, error)


class Restarts:
    """Counts the workers that died in a row: since the last prediction that was answered.

    After `limit` restarts in a row there is no other; without a limit there always is.
    """

    def __init__(self, limit: int | None) -> None:
        self.total = 0
        """All workers that replaced another."""
        self.in_row = 0
        """Those since a prediction was answered."""
        self._limit = limit

    def reset(self) -> None:
        """Say that a worker did what it is there for."""
        self.in_row = 0

    def next_delay(self) -> float | None:
        """Return the seconds to wait before the next worker is started, None to start none.

        They double with each, from half a second to half a minute.
        """
        if self._limit is not None and self.in_row >= self._limit:
            return None
        self.in_row += 1
        self.total += 1
        return min(_FIRST_DELAY * 2.0 ** min(self.in_row - 1, 16), _LONGEST_DELAY)
