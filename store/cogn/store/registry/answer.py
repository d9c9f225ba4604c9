"""What a registry answers: read to its end, within bounds, and fit for a message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from cogn.store.registry.untrusted import json_object, objects
from cogn.store.retry import UnavailableError, transport_errors

if TYPE_CHECKING:
    import httpx

__all__ = ["PATIENCE", "Answer", "RefusedError", "printable", "read_answer"]

PATIENCE = 300.0
"""Seconds that a registry may take to answer, or to take the next piece of what it is sent. Some
hash or copy a whole blob before they answer."""

_LONGEST_MESSAGE = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was read to its end."""

    status: int
    reason: str
    headers: httpx.Headers
    body: bytes
    url: httpx.URL
    """Of the request, for locations that are relative to it."""


class RefusedError(UnavailableError):
    """Raised when a registry answered otherwise than hoped; never leaves `cogn.store`.

    The message has the answer's own words, as `fit` makes them.
    """

    def __init__(self, cause: UnavailableError, answer: Answer, fit: Callable[[str], str]) -> None:
        self.answer = answer
        said = "; ".join(
            ": ".join(str(each[key]) for key in ("code", "message") if each.get(key))
            for each in self.errors
        )
        message = fit(f"{cause}: {said}" if said else str(cause))
        super().__init__(message, may_pass=cause.may_pass, wait=cause.wait, status=cause.status)

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The errors of the answer's body, as the distribution specification has them."""
        return objects(json_object(self.answer.body).get("errors"))


async def read_answer(response: httpx.Response, limit: int) -> Answer:
    """Return the answer with its body; of an error's, which may be anything, the beginning.

    Raises `UnavailableError` when the body is too long, or not there in time.
    """
    body = bytearray()
    with anyio.move_on_after(PATIENCE) as scope:
        async with transport_errors():
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > limit:
                    break
    if response.is_success:
        if scope.cancelled_caught:
            raise UnavailableError("it takes too long to answer", may_pass=True)
        if len(body) > limit:
            raise UnavailableError(f"its answer is longer than the {limit} bytes allowed")
    return Answer(
        response.status_code,
        response.reason_phrase,
        response.headers,
        bytes(body),
        response.url,
    )


def printable(text: str) -> str:
    """Return a server's words fit for a line of a message."""
    line = "".join(char if char.isprintable() else " " for char in text)
    return line if len(line) <= _LONGEST_MESSAGE else line[:_LONGEST_MESSAGE] + " ..."
