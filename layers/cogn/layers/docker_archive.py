"""Docker archives: one image in one tar file, in the form that `docker save` gave it.

There is no specification but what reads them: Docker's loader and containers/image. Both take the
image from ``manifest.json``, which names the configuration and the layers; these are plain tar
files here, so their hashes are the diff IDs. The other form that Docker's first versions had (the
file ``repositories`` and a directory for each layer) nothing needs any more.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

import anyio.to_thread
import msgspec
import zstandard
from isal import igzip, isal_zlib

from cogn.layers import tar
from cogn.layers.destination import LayerBlob
from cogn.layers.entry import MTIME
from cogn.layers.errors import LayerError
from cogn.layers.image import Document, Image
from cogn.layers.layer import Compression, Layer
from cogn.report import Reporter, Task
from cogn.store import DamagedBlobError, replacing

__all__ = ["DockerArchive", "require_one"]

_CHUNK = 1 << 20


class DockerArchive:
    """A Docker archive, written when the image is complete."""

    def __init__(self, file: Path, name: str, reporter: Reporter) -> None:
        """Write to `file`; what loads it calls the image `name`, which has a tag."""
        self._file = file
        self._name = name
        self._reporter = reporter
        self._layers: dict[str, tuple[str, Path]] = {}

    async def has(self, digest: str) -> bool:
        """Tell whether the layer was put already."""
        return digest in self._layers

    async def put_layer(self, blob: LayerBlob) -> None:
        """Remember the layer's blob for `finish`."""
        self._layers[blob.digest] = blob.name, await blob.file()

    async def put_document(self, document: Document) -> None:
        """Do nothing: `finish` gets the configuration with its image."""

    async def finish(self, images: Sequence[Image]) -> frozenset[str]:
        """Write the tar file, in place of an earlier one, in one step.

        Raises `LayerError` for several images and when the file cannot be written, and
        `DamagedBlobError` when a layer's blob is not what it was.
        """
        require_one([image.platform for image in images], "a Docker archive")
        try:
            await anyio.to_thread.run_sync(self._write, images[0])
        except OSError as error:
            raise LayerError(f"`{self._file}` cannot be written: {error.strerror}") from error
        return frozenset()

    def _write(self, image: Image) -> None:
        config = image.config.digest.removeprefix("sha256:") + ".json"
        manifest = {
            "Config": config,
            "RepoTags": [self._name],
            "Layers": [_file_name(layer) for layer in image.layers],
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self._file) as out:
            _write_file(out, "manifest.json", [msgspec.json.encode([manifest], order="sorted")])
            _write_file(out, config, [image.config.data])
            for layer in {layer.diff_id: layer for layer in image.layers}.values():
                name, file = self._layers[layer.digest]
                with self._reporter.task("Unpacking", name, layer.size) as task:
                    _write_file(out, _file_name(layer), _uncompressed(layer, file, task))
            out.write(tar.END)


def require_one(platforms: Sequence[str], place: str) -> None:
    """Raise `LayerError` for several platforms, whose images `place` cannot hold together."""
    if len(platforms) > 1:
        raise LayerError(
            f"{place} holds the image of one platform, not of {' and '.join(platforms)}",
            hint=f"choose one, such as `--platform {platforms[0]}`",
        )


def _file_name(layer: Layer) -> str:
    return layer.diff_id.removeprefix("sha256:") + ".tar"


def _write_file(out: IO[bytes], name: str, pieces: Iterable[bytes]) -> None:
    """Append a member to an archive. Its size is known last, so its header is written last."""
    begin = out.tell()
    out.seek(tar.BLOCK, os.SEEK_CUR)
    member = tarfile.TarInfo(name)
    member.mtime = MTIME
    for data in pieces:
        out.write(data)
        member.size += len(data)
    out.write(tar.padding(member.size))
    end = out.tell()
    out.seek(begin)
    out.write(member.tobuf(tarfile.GNU_FORMAT))  # the one with a single block for any size
    out.seek(end)


def _uncompressed(layer: Layer, file: Path, task: Task) -> Iterator[bytes]:
    """Yield the bytes that the layer's diff ID is the hash of; `task` counts compressed ones."""
    diff = hashlib.sha256()
    try:
        with file.open("rb") as blob, _reader(blob, layer.compression) as stream:
            done = 0
            while data := stream.read(_CHUNK):
                diff.update(data)
                task.advance(blob.tell() - done)
                done = blob.tell()
                yield data
    except (OSError, EOFError, isal_zlib.IsalError, zstandard.ZstdError) as error:  # type: ignore[misc]  # isal's stub is wrong
        raise _damaged(layer, file) from error
    if f"sha256:{diff.hexdigest()}" != layer.diff_id:
        raise _damaged(layer, file)


def _reader(blob: IO[bytes], compression: Compression | None) -> IO[bytes]:
    """Return a stream of what all members or frames of a blob hold, one after the other."""
    if compression is None:
        return blob
    if compression == "gzip":
        stream: IO[bytes] = igzip.open(blob)  # type: ignore[no-untyped-call]  # nor does its stub have types
        return stream
    return zstandard.ZstdDecompressor().stream_reader(blob, read_across_frames=True)


def _damaged(layer: Layer, file: Path) -> DamagedBlobError:
    return DamagedBlobError(
        f"`{file}` is damaged: it is not {layer.digest} any more",
        hint="remove that file, it is made again",
    )
