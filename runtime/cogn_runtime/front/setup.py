"""`Setup`: one time that the model was set up, or tried to be."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

from cogn_runtime.front.logs import LogBuffer, timestamp

__all__ = ["Setup"]


@dataclass
class Setup:
    """One time that the model was set up, or tried to be; times are RFC 3339."""

    started_at: str = field(default_factory=timestamp)
    completed_at: str | None = None
    status: Literal["starting", "succeeded", "failed"] = "starting"
    logs: LogBuffer = field(default_factory=LogBuffer)
    seconds: float | None = None
    """How long it took, when it is over."""
    _begin: float = field(default_factory=time.perf_counter)

    def end(self, status: Literal["succeeded", "failed"]) -> None:
        """Take note of the end."""
        self.status = status
        self.completed_at = timestamp()
        self.seconds = time.perf_counter() - self._begin
