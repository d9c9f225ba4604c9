"""What following a script may take: it ends, whatever the script is."""

from __future__ import annotations

from cogn.layers.debian.scripts.errors import Unfollowed

__all__ = ["Budget"]

_MOST_STEPS = 200_000
_MOST_CHARACTERS = 32 << 20
_MOST_WORK = 1_000_000_000
_DEEPEST = 40


class Budget:
    """What a script may still take, with all that it starts."""

    def __init__(self) -> None:
        self._steps = _MOST_STEPS
        self._characters = _MOST_CHARACTERS
        self._work = _MOST_WORK
        self._depth = 0

    def step(self) -> None:
        """Count a command."""
        self._steps -= 1
        if self._steps < 0:
            raise Unfollowed("it takes too many steps")

    def hold(self, text: str) -> str:
        """Count a text that is kept, and return it."""
        self._characters -= len(text)
        if self._characters < 0:
            raise Unfollowed("it makes too much text")
        return text

    def work(self, steps: int) -> None:
        """Count the steps that a search may take."""
        self._work -= steps
        if self._work < 0:
            raise Unfollowed("it searches for too long")

    def __enter__(self) -> None:
        """Count something that happens inside of something else, until it is over."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Unfollowed("it calls itself too deeply")

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
