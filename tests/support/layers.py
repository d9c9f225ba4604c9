"""Writing layers and looking into them."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass

from cogn.layers.entry import Entry
from cogn.layers.facts import Facts
from cogn.layers.layer import write

PLAIN = Facts()


@dataclass(frozen=True)
class Written:
    """A layer's compressed bytes and its diff ID."""

    blob: bytes
    diff_id: str

    @property
    def tar(self) -> bytes:
        """The uncompressed bytes, as the standard library reads the gzip members."""
        return gzip.decompress(self.blob)

    def members(self) -> list[tarfile.TarInfo]:
        """The members in order."""
        with tarfile.open(fileobj=io.BytesIO(self.tar)) as archive:
            return archive.getmembers()

    def files(self) -> dict[str, tuple[int, bytes]]:
        """Mode and content of each regular file, by path."""
        with tarfile.open(fileobj=io.BytesIO(self.tar)) as archive:
            found = {}
            for member in archive:
                if member.isreg():
                    file = archive.extractfile(member)
                    assert file is not None
                    found[member.name] = (member.mode, file.read())
            return found


def write_layer(entries: Iterable[Entry], facts: Facts = PLAIN) -> Written:
    """Write a layer in memory."""
    out = bytearray()
    diff_id = write(entries, facts, out.extend)
    return Written(bytes(out), diff_id)
