"""The marks that a `run()` can carry."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import cog


def test_concurrent_marks_an_async_function_and_leaves_it() -> None:
    async def run() -> str:
        return "x"

    async def stream() -> AsyncIterator[str]:
        yield "x"

    for function in (run, stream):
        assert cog.concurrent(max=4)(function) is function
        assert vars(function) == {"__cog_concurrent_max__": 4}


def test_one_prediction_at_a_time_needs_no_async_function() -> None:
    def run() -> str:
        return "x"

    assert cog.concurrent(max=1)(run) is run
    with pytest.raises(TypeError, match="requires an async run"):
        cog.concurrent(max=2)(run)


@pytest.mark.parametrize("wrong", [0, -1, True, "4", 1.5, None])
def test_concurrent_refuses_what_is_no_number_of_predictions(wrong: int) -> None:
    error = ValueError if wrong in (0, -1) else TypeError
    with pytest.raises(error, match="needs an integer from 1 on"):
        cog.concurrent(max=wrong)


def test_marks_are_written_with_and_without_parentheses() -> None:
    async def run() -> str:
        return "x"

    assert cog.concurrent(run) is cog.concurrent()(run) is run
    assert cog.streaming(run) is cog.streaming()(run) is run
    assert vars(run) == {"__cog_concurrent_max__": 1, "__cog_streaming__": True}
    with pytest.raises(TypeError, match="is written as @concurrent or @concurrent"):
        cog.concurrent(4)  # type: ignore[call-overload]
