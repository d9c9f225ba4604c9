"""The frames between front and worker."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogn_runtime.frames import MAX_FRAME_BYTES, FrameDecoder, FrameError, encode_frame
from cogn_runtime.front.messages import Failed, Parcel, Succeeded, decode, predict_message
from cogn_runtime.parcels import Parcels


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
    with pytest.raises(FrameError, match="4194305 bytes, and 4194304 are allowed"):
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


def test_a_request_is_a_message() -> None:
    assert msgspec.json.decode(predict_message("a", {"x": "é"}, {"b": "c"})) == {
        "kind": "predict",
        "id": "a",
        "input": {"x": "é"},
        "context": {"b": "c"},
    }


def test_what_is_too_large_for_a_frame_passes_through_a_file_that_is_gone_then(
    tmp_path: Path,
) -> None:
    parcels = Parcels(tmp_path, "worker")
    assert parcels.frame(b"small") == encode_frame(b"small")
    large = bytes(MAX_FRAME_BYTES + 1)
    (payload,) = FrameDecoder().feed(parcels.frame(large))
    message = decode(payload)
    assert isinstance(message, Parcel)
    assert parcels.take(message.name) == large
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", ".", "..", "../secret", "/etc/passwd", "a\0b", "ü"])
def test_a_parcel_is_taken_from_its_own_directory_alone(tmp_path: Path, name: str) -> None:
    with pytest.raises(FrameError, match="names no parcel"):
        Parcels(tmp_path, "front").take(name)


def test_a_link_is_no_parcel(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "worker-0").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic links"):
        Parcels(tmp_path, "front").take("worker-0")
