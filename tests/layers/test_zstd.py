"""Layers compressed with Zstandard."""

from __future__ import annotations

import hashlib
import subprocess
import zlib
from pathlib import Path

import pytest

from cogn.layers import zstd
from cogn.layers.entry import Bytes, DeflateStream, Entry
from cogn.layers.errors import LayerError
from cogn.layers.facts import Facts
from cogn.layers.layer import write
from support.layers import write_layer

PATTERN = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(1 << 13)) * 40


def compressed(entries: list[Entry]) -> tuple[bytes, str]:
    out = bytearray()
    diff_id = write(entries, Facts(), out.extend, "zstd")
    return bytes(out), diff_id


def entries(directory: Path) -> list[Entry]:
    stream = zlib.compressobj(wbits=-15)
    data = stream.compress(PATTERN) + stream.flush()
    file = directory / "stream"
    file.write_bytes(data)
    content = DeflateStream(file, 0, len(data), size=len(PATTERN), crc=zlib.crc32(PATTERN))
    return [Entry.file("big", content), Entry.file("small", Bytes(b"small"))]


@pytest.mark.zstd
def test_a_zstd_layer_holds_the_same_tar_as_a_gzip_layer(tmp_path: Path) -> None:
    blob, diff_id = compressed(entries(tmp_path))
    (tmp_path / "layer.tar.zst").write_bytes(blob)
    written = write_layer(entries(tmp_path))
    assert diff_id == written.diff_id
    listed = subprocess.run(
        ["zstd", "-dcq", "layer.tar.zst"], cwd=tmp_path, capture_output=True, check=True
    )
    assert listed.stdout == written.tar


def test_the_bytes_of_a_zstd_layer_are_these(tmp_path: Path) -> None:
    blob, _ = compressed(entries(tmp_path))
    assert hashlib.sha256(blob).hexdigest() == (
        "29bff4be91a021800cf83a7a1c86af44fe050220dc04943cced84cae572ef5b9"
    )


def test_another_compressor_is_noticed_before_a_layer_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    zstd.check_compressor.cache_clear()
    monkeypatch.setattr(zstd, "_LEVEL", 4)
    with pytest.raises(LayerError, match="compresses differently"):
        compressed([Entry.file("a", Bytes(b"x"))])
    zstd.check_compressor.cache_clear()
