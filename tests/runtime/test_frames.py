"""The frames between front and worker."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogn_runtime.frames import MAX_FRAME_BYTES, FrameDecoder, FrameError, encode_frame
from cogn_runtime.front.messages import Failed, Succeeded, decode, predict_frame


@given(st.lists(st.binary(max_size=300)), st.lists(st.integers(1, 50), min_size=1))
def test_frames_come_out_whole_however_the_stream_is_cut(
    payloads: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(encode_frame(each) for each in payloads)
    decoder = FrameDecoder()
    received: list[bytes] = []
    position = turn = 0
    while position < len(stream):
        size = cuts[turn % len(cuts)]
        received += decoder.feed(stream[position : position + size])
        position, turn = position + size, turn + 1
    assert received == payloads


def test_a_frame_that_is_too_long_is_refused_on_both_ends() -> None:
    with pytest.raises(FrameError, match="268435457 bytes, and 268435456 are allowed"):
        list(FrameDecoder().feed((MAX_FRAME_BYTES + 1).to_bytes(4, "big")))
    with pytest.raises(FrameError):
        encode_frame(bytes(MAX_FRAME_BYTES + 1))


def test_an_output_is_kept_as_the_worker_wrote_it() -> None:
    message = decode(b'{"kind":"succeeded","id":"a","output":{"b":1e0},"files":[]}')
    assert message == Succeeded(id="a", output=msgspec.Raw(b'{"b":1e0}'), files=[])
    assert decode(b'{"kind":"failed","id":"a","error":"e"}') == Failed(id="a", error="e")


@pytest.mark.parametrize(
    "payload",
    [b"", b"{}", b"[]", b'{"kind":"what"}', b'{"kind":"ready","more":1}', b'{"kind":"failed"}'],
)
def test_what_is_no_message_is_not_read_as_one(payload: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(payload)


def test_a_request_is_a_frame() -> None:
    (payload,) = FrameDecoder().feed(predict_frame("a", {"x": "é"}, {"b": "c"}))
    assert msgspec.json.decode(payload) == {
        "kind": "predict",
        "id": "a",
        "input": {"x": "é"},
        "context": {"b": "c"},
    }
