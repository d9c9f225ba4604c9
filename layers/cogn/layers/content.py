"""Reading what entries describe: plain bytes in order, with every promise of size and CRC kept."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from typing import IO

from isal import isal_zlib

from cogn.layers.entry import Bytes, Content, DeflateStream, Slice, WholeFile
from cogn.layers.errors import ChangedFileError, LayerError, SourceError

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
                yield from _checked(content, _read(file, content))
        case DeflateStream():
            for _, plain in inflate(content):
                yield plain
        case WholeFile():
            yield from _read_checked(content)


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


def _read_checked(content: WholeFile) -> Iterator[bytes]:
    digest = hashlib.sha256()
    try:
        with content.file.open("rb") as file:
            left = content.size
            while left and (data := file.read(min(left, _CHUNK))):
                digest.update(data)
                left -= len(data)
                yield data
    except OSError as error:
        raise SourceError(f"`{content.file}` cannot be read: {error.strerror}") from error
    if digest.hexdigest() != content.sha256:
        raise ChangedFileError(content.file)


def _checked(part: Slice, pieces: Iterator[bytes]) -> Iterator[bytes]:
    crc = 0
    for data in pieces:
        if part.crc is not None:
            crc = isal_zlib.crc32(data, crc)
        yield data
    if part.crc is not None and crc != part.crc:
        raise _damaged(part, f"has CRC-32 {crc:08x}, not {part.crc:08x} as stated")


def _damaged(part: DeflateStream | Slice, fault: str) -> LayerError:
    name = part.name or f"`{part.file.name}`: the content at byte {part.offset}"
    return LayerError(f"{name} {fault}")
