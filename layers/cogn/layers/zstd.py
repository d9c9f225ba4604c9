"""The other compressed form of a layer: Zstandard frames (RFC 8878) one after the other.

Nothing can be copied from wheels, so it takes longer to make; it is smaller and faster to pull. The
library and the level are fixed: another version may compress differently.
"""

from __future__ import annotations

import functools
import hashlib

import zstandard

from cogn.layers.errors import LayerError
from cogn.layers.stream import TarStream

__all__ = ["ZstdStream", "check_compressor"]

_LEVEL = 3
_PROBE_SHA256 = "21ead7b8a0dae207e0814a9bf80b48038b21bb2146b5381235aff06d657ee339"


class ZstdStream(TarStream):
    """Writes Zstandard frames, each with its size and no checksum: the digest is one."""

    def _compress(self, data: bytes) -> bytes:
        check_compressor()
        return _frame(data)


@functools.cache
def check_compressor() -> None:
    """Raise `LayerError` unless the compressor gives the bytes that the layer format fixes."""
    text = b"".join(hashlib.sha256(b"%d" % i).hexdigest().encode() for i in range(1 << 10))
    if hashlib.sha256(_frame(text)).hexdigest() != _PROBE_SHA256:
        raise LayerError(
            "the zstandard library compresses differently from the one that layers are defined "
            "by, so digests would not be the same as on other machines",
            hint="install cogn with its own dependencies: `zstandard==0.25.0`",
        )


def _frame(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=_LEVEL).compress(data)
