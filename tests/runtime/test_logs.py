"""Text and lines of what is printed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cogn_runtime.front.logs import LineSplitter, LogBuffer, timestamp


@given(st.text(), st.integers(1, 5))
def test_text_and_lines_are_the_same_however_the_bytes_arrive(text: str, size: int) -> None:
    splitter, texts, lines = LineSplitter(), [], []
    data = text.encode()
    for start in range(0, len(data), size):
        more, complete = splitter.feed(data[start : start + size])
        texts.append(more)
        lines += complete
    assert "".join(texts) == text
    assert "\n".join([*lines, *(splitter.end() or [""])]) == text
    assert splitter.end() == []


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert LineSplitter().feed(b"a\xffb\n") == ("a\ufffdb\n", ["a\ufffdb"])


def test_the_last_lines_are_those_with_something_in_them() -> None:
    buffer = LogBuffer()
    buffer.write("one\n\ntwo\nthr")
    buffer.write("ee\n \n")
    assert buffer.last_lines(2) == "two\nthree"
    assert LogBuffer().last_lines(2) == ""


def test_a_timestamp_is_rfc_3339_in_utc() -> None:
    assert timestamp(0) == "1970-01-01T00:00:00.000000Z"
    assert timestamp(1_700_000_000.25) == "2023-11-14T22:13:20.250000Z"
