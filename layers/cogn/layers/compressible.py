"""Whether a file is worth compressing, told from a sample of it.

Weights hardly compress: a quarter less for half precision, nothing for quantised ones. A layer of
gigabytes that saves so little costs minutes to make, and with every pull it is inflated by one
processor at a few hundred megabytes a second, slower than it comes over the network.
"""

from __future__ import annotations

from typing import IO

import deflate

__all__ = ["compresses"]

_PIECES = 32
_PIECE = 64 << 10
_LEVEL = 6
_WORTH_IT = (2, 3)


def compresses(file: IO[bytes], size: int) -> bool:
    """Tell whether compressing `file`, which has `size` bytes, takes away a third of it.

    The answer is part of recipes: it depends on the content alone, read at places that follow from
    the size, and on the compressor, which is pinned.
    """
    plain = compressed = 0
    for index in range(_PIECES):
        file.seek(size * index // _PIECES)
        data = file.read(_PIECE)
        plain += len(data)
        compressed += len(deflate.deflate_compress(data, _LEVEL))
    most, of = _WORTH_IT
    return compressed * of <= plain * most
