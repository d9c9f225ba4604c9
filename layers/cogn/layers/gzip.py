"""The compressed form of a layer: gzip members (RFC 1952) one after the other.

A big file that already lies in a deflate stream becomes a member by copying the stream; everything
between is compressed in pieces of fixed size with libdeflate, whose output for a version is the
same on every machine (the standard library's zlib differs between builds and processors).
"""

from __future__ import annotations

import functools
import hashlib
import struct

import deflate
from isal import isal_zlib

from cogn.layers.content import inflate, read
from cogn.layers.entry import Content, DeflateStream, WholeFile
from cogn.layers.errors import LayerError
from cogn.layers.stream import TarStream

__all__ = ["GzipStream", "check_compressor"]

_LEVEL = 6
_WORTH_COPYING = 64 << 10
_STORED = 32 << 10
_LAST_BLOCK = struct.pack("<BHH", 1, 0, 0xFFFF)
_MEMBER_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # deflate, no name, no time, unknown system
_PROBE_SHA256 = "cc94609a71c3168a72310cba1a0506fce9be6f9205d90bd6a77ad7363685a0af"


class GzipStream(TarStream):
    """Writes gzip members."""

    def write_content(self, content: Content) -> None:
        """Append a file's content; raises `LayerError` when it is not what it was said to be."""
        if isinstance(content, DeflateStream) and content.compressed_size >= _WORTH_COPYING:
            self._copy(content)
        elif isinstance(content, WholeFile) and not content.compress:
            self._store(content)
        else:
            super().write_content(content)

    def _copy(self, stream: DeflateStream) -> None:
        self.close()
        self.out(_MEMBER_HEADER)
        for raw, plain in inflate(stream):
            if raw:
                self.out(raw)
            self.diff.update(plain)
        self.out(struct.pack("<II", stream.crc, stream.size & 0xFFFFFFFF))

    def _store(self, content: WholeFile) -> None:
        """Write a file as one member of stored blocks (RFC 1951, 3.2.4).

        Not as a layer of the plain tar type: tools compress those when they copy an image, which
        gives it another digest, and lazy snapshotters index gzip alone. Stored blocks cost one
        part in six thousand, and inflating them is copying them.
        """
        self.close()
        self.out(_MEMBER_HEADER)
        crc = 0
        pending = bytearray()
        for data in read(content):
            self.diff.update(data)
            crc = isal_zlib.crc32(data, crc)
            pending += data
            whole = len(pending) - len(pending) % _STORED
            self.out(_stored(bytes(pending[:whole])))
            del pending[:whole]
        self.out(_stored(bytes(pending)) + _LAST_BLOCK)
        self.out(struct.pack("<II", crc, content.size & 0xFFFFFFFF))

    def _compress(self, data: bytes) -> bytes:
        check_compressor()
        compressed = bytes(deflate.deflate_compress(data, _LEVEL))
        trailer = struct.pack("<II", deflate.crc32(data), len(data))
        return _MEMBER_HEADER + compressed + trailer


def _stored(data: bytes) -> bytes:
    """Return `data` as stored blocks, all of the same size but the last."""
    pieces: list[bytes] = []
    for start in range(0, len(data), _STORED):
        piece = data[start : start + _STORED]
        size = len(piece)
        pieces += (struct.pack("<BHH", 0, size, size ^ 0xFFFF), piece)
    return b"".join(pieces)


@functools.cache
def check_compressor() -> None:
    """Raise `LayerError` unless the compressor gives the bytes that the layer format fixes."""
    text = b"".join(hashlib.sha256(b"%d" % i).hexdigest().encode() for i in range(1 << 10))
    found = hashlib.sha256(deflate.deflate_compress(text, _LEVEL)).hexdigest()
    if found != _PROBE_SHA256:
        raise LayerError(
            "the deflate library compresses differently from the one that layers are defined by, "
            "so digests would not be the same as on other machines",
            hint="install cogn with its own dependencies: `deflate==0.9.0`",
        )
