"""Reading what entries describe: plain bytes in order, with every promise of size and CRC kept."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import IO

from isal import isal_zlib

from cogn.layers.entry import Bytes, Content, DeflateStream, Slice
from cogn.layers.errors import LayerError

__all__ = ["inflate", "read", "read_all"]

_CHUNK = 1 << 18
_PLAIN = 1 << 20


def read(content: Content) -> Iterator[bytes]:
    """Yield the bytes of `content`; raises `LayerError` when it is not what it was said to be."""
    match content:
        case Bytes(data):
            yield data
        case Slice():
            with content.file.open("rb") as file:
                yield from _read(file, content)
        case DeflateStream():
            for _, plain in inflate(content):
                yield plain


def read_all(content: Content) -> bytes:
    """Return the bytes of `content`, for content that is known to be small."""
    return b"".join(read(content))


def inflate(stream: DeflateStream) -> Iterator[tuple[bytes, bytes]]:
    """Yield pairs of compressed bytes and what they inflate to, piece by piece.

    One piece of compressed bytes may come with several plain ones (the later pairs have no
    compressed part), so memory stays flat whatever the ratio. Raises `LayerError` when the stream
    is damaged, is longer or shorter than declared, or has another CRC-32.
    """
    inflater = isal_zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    size = crc = 0
    with stream.file.open("rb") as file:
        for raw in _read(file, Slice(stream.file, stream.offset, stream.compressed_size)):
            if inflater.eof:
                raise _damaged(stream, "has bytes after the end of its deflate stream")
            piece, rest, plain = raw, raw, b""
            # A full output may leave more inside the inflater, even with no input left.
            while rest or (len(plain) == _PLAIN and not inflater.eof):
                try:
                    plain = inflater.decompress(rest, _PLAIN)
                except isal_zlib.IsalError as error:  # type: ignore[misc]  # its stub is wrong
                    raise _damaged(stream, "is not a valid deflate stream") from error
                if inflater.unused_data:
                    raise _damaged(stream, "has bytes after the end of its deflate stream")
                rest = inflater.unconsumed_tail
                size += len(plain)
                if size > stream.size:
                    raise _damaged(stream, f"inflates to more than the {stream.size} bytes stated")
                crc = isal_zlib.crc32(plain, crc)
                yield piece, plain
                piece = b""
    if not inflater.eof or size != stream.size:
        raise _damaged(stream, f"ends too early, after {size} of {stream.size} bytes")
    if crc != stream.crc:
        raise _damaged(stream, f"has CRC-32 {crc:08x}, not {stream.crc:08x} as stated")


def _read(file: IO[bytes], part: Slice) -> Iterator[bytes]:
    file.seek(part.offset)
    left = part.size
    while left:
        data = file.read(min(left, _CHUNK))
        if not data:
            raise LayerError(f"`{part.file}` became shorter while it was read")
        left -= len(data)
        yield data


def _damaged(stream: DeflateStream, fault: str) -> LayerError:
    return LayerError(f"`{stream.file.name}`: the content at byte {stream.offset} {fault}")
