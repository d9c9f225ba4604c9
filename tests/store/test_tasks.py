"""Task groups that raise a failure as itself."""

from __future__ import annotations

from functools import partial

import anyio
import anyio.lowlevel
import pytest

from cogn.store import StoreError
from cogn.store.tasks import later, task_group


async def fail(error: Exception, cause: Exception) -> None:
    raise error from cause


def test_the_first_failure_is_raised_with_its_own_cause() -> None:
    cause = OSError("disk")

    async def run() -> None:
        async with task_group() as outer:
            outer.start_soon(anyio.sleep_forever)
            async with task_group() as inner:
                inner.start_soon(fail, StoreError("broken"), cause)

    with pytest.raises(StoreError, match="broken") as caught:
        anyio.run(run)
    assert caught.value.__cause__ is cause


def test_results_are_there_when_the_group_has_ended() -> None:
    async def double(number: int) -> int:
        await anyio.lowlevel.checkpoint()
        return number * 2

    async def run() -> list[int]:
        async with task_group() as tasks:
            results = [later(tasks, partial(double, number)) for number in range(3)]
        return [result.value for result in results]

    assert anyio.run(run) == [0, 2, 4]
