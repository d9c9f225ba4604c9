"""A layer's tar bytes on their way into a compressed form, which a subclass gives them."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable

from cogn.layers.content import read
from cogn.layers.entry import Content

__all__ = ["TarStream"]

_PIECE = 4 << 20


class TarStream(ABC):
    """Takes tar bytes in order, compresses them in pieces of fixed size, and knows the diff ID.

    The pieces do not depend on how the bytes come in, and each is compressed on its own: that is
    what makes the compressed bytes the same every time.
    """

    def __init__(self, out: Callable[[bytes], None]) -> None:
        self.out = out
        self.diff = hashlib.sha256()
        self._pending = bytearray()

    @property
    def diff_id(self) -> str:
        """The digest of the uncompressed bytes so far (OCI image specification, config.md)."""
        return f"sha256:{self.diff.hexdigest()}"

    def write(self, data: bytes) -> None:
        """Append uncompressed bytes."""
        self.diff.update(data)
        self._pending += data
        while len(self._pending) >= _PIECE:
            piece = bytes(self._pending[:_PIECE])
            del self._pending[:_PIECE]
            self.out(self._compress(piece))

    def write_content(self, content: Content) -> None:
        """Append a file's content; raises `LayerError` when it is not what it was said to be."""
        for data in read(content):
            self.write(data)

    def close(self) -> None:
        """Write what is pending."""
        if self._pending:
            self.out(self._compress(bytes(self._pending)))
            self._pending.clear()

    @abstractmethod
    def _compress(self, data: bytes) -> bytes:
        """Return one piece, compressed so that it can be read without the others."""
