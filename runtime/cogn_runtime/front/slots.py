"""The slots of the model: who has one, and who waits in line for one."""

from __future__ import annotations

import asyncio
import math
from collections import deque

from cogn_runtime.front.jobs import Job

__all__ = ["BusyError", "NotReadyError", "Place", "Slots"]

_LONGEST_WAIT = 3600
_SHARE = 0.2
"""How much the latest job counts for the time that one takes."""


class NotReadyError(Exception):
    """Raised when a prediction is asked for and no worker is ready."""


class BusyError(Exception):
    """Raised when others hold all slots and there is no room in the line; says when to return."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after
        """Whole seconds until a slot may be free."""


class Place:
    """The place of one job: in line at first, unless it has a slot at once; then in a slot."""

    def __init__(self, job: Job, slots: Slots) -> None:
        self.job = job
        self._slots = slots
        self._called = asyncio.Event()

    @property
    def number(self) -> int:
        """How many it takes until it is this job's turn; 0 when it has a slot."""
        return self._slots.number(self)

    def call(self) -> None:
        """Say that the job has a slot."""
        self._called.set()

    async def turn(self) -> None:
        """Wait until the job has a slot."""
        await self._called.wait()

    def leave(self) -> None:
        """Give the slot, or the place in line, to others; doing it again does nothing."""
        self._slots.leave(self)


class Slots:
    """As many slots as the model makes predictions at once, and the line before them.

    `room` is how many may wait in line. Nobody gets a slot before `open`.
    """

    def __init__(self, room: int) -> None:
        self.count = 1
        self._room = room
        self._is_open = False
        self._is_over = False
        self._held: dict[str, Place] = {}
        self._line: deque[Place] = deque()
        self._usual_seconds = 1.0

    @property
    def jobs(self) -> list[Job]:
        """The jobs that have a slot."""
        return [place.job for place in self._held.values()]

    @property
    def waiting(self) -> int:
        """How many wait in line."""
        return len(self._line)

    @property
    def has_free(self) -> bool:
        """Whether a job would have a slot at once."""
        return self._is_open and len(self._held) < self.count and not self._line

    def find(self, id_: str) -> Job | None:
        """Return the job of that id which has a slot."""
        place = self._held.get(id_)
        return None if place is None else place.job

    def open(self) -> None:
        """Give out slots from now on."""
        self._is_open = True
        self._call()

    def close(self) -> None:
        """Give out none until `open`; those who wait may stay."""
        self._is_open = self._is_over = False

    def give_up(self) -> None:
        """Say that there will be no slots any more: all who wait are called, to fail."""
        self._is_open, self._is_over = False, True
        self._call()

    def require(self) -> None:
        """Raise NotReadyError or BusyError unless there is a free slot now, or room in the line."""
        if not self._is_open:
            raise NotReadyError
        if not self.has_free and len(self._line) >= self._room:
            raise BusyError(self.retry_after)

    def enter(self, job: Job) -> Place:
        """Return a slot, or a place in line; raises NotReadyError or BusyError."""
        self.require()
        return self.line_up(job)

    def line_up(self, job: Job) -> Place:
        """Return a slot, or a place in line even if there is no room or no model."""
        place = Place(job, self)
        self._line.append(place)
        self._call()
        return place

    def leave(self, place: Place) -> None:
        """Take a place back, wherever it is."""
        if self._held.get(place.job.id) is place:
            del self._held[place.job.id]
            if place.job.seconds:
                change = place.job.seconds - self._usual_seconds
                self._usual_seconds += _SHARE * change
            self._call()
        elif place in self._line:
            self._line.remove(place)

    def number(self, place: Place) -> int:
        """Return the number of a place in line, from 1 on; 0 for any other."""
        return self._line.index(place) + 1 if place in self._line else 0

    @property
    def retry_after(self) -> int:
        """Whole seconds until a slot may be free, going by what jobs took until now."""
        rounds = (len(self._line) + 1) / self.count
        return max(1, min(math.ceil(rounds * self._usual_seconds), _LONGEST_WAIT))

    def _call(self) -> None:
        while self._line and (self._is_over or (self._is_open and len(self._held) < self.count)):
            place = self._line.popleft()
            self._held[place.job.id] = place
            place.call()
