"""Doing several things at once so that a failure reaches the caller as itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

__all__ = ["Later", "later", "task_group"]

_T = TypeVar("_T")


class Later(Generic[_T]):
    """The result of a task: `value` is there once the task's group has ended."""

    value: _T


def later(tasks: TaskGroup, call: Callable[[], Awaitable[_T]]) -> Later[_T]:
    """Start a task of the group that makes the call; return where its result will be."""
    result: Later[_T] = Later()

    async def run() -> None:
        result.value = await call()

    tasks.start_soon(run)
    return result


@asynccontextmanager
async def task_group() -> AsyncIterator[TaskGroup]:
    """Give a task group that raises the first failure of its tasks, not a group around it."""
    failure = None
    try:
        async with anyio.create_task_group() as tasks:
            yield tasks
    except BaseExceptionGroup as group:
        failure = _first(group)
    if failure is not None:  # raised here, where its own cause stays its only one
        raise failure


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
