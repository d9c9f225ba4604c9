"""Small images of a builder, with the blobs of their layers in its cache."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio

from cogn.layers.build import Builder
from cogn.layers.entry import Bytes, Entry
from cogn.layers.image import Image, make_image
from cogn.layers.layer import Compression, Layer
from cogn.layers.recipe import FilesRecipe
from cogn.lockfiles import Deb, StandalonePython, Wheel
from cogn.report import Reporter
from cogn.store import Cache

PIECES = b"".join(b"%d" % n for n in range(1_000_000))
"""Longer than a member or a frame of a layer."""


class _Nothing:
    """No inputs: what is built here is made of bytes alone."""

    async def fetch(
        self,
        debs: Sequence[Deb],
        wheels: Sequence[Wheel],
        pythons: Sequence[StandalonePython],
    ) -> Mapping[str, Path]:
        raise AssertionError


def make_builder(
    root: Path, compression: Compression = "gzip", reporter: Reporter | None = None
) -> Builder:
    """Return a builder with a cache of its own."""
    return Builder(
        (),
        inputs=_Nothing(),
        cache=Cache(root),
        reporter=reporter or Reporter(),
        compression=compression,
    )


def build_image(
    builder: Builder, text: bytes = b"text", platform: str = "linux/amd64"
) -> tuple[Image, dict[str, str]]:
    """Return an image of two layers, and their names by digest. The upper one holds `text`."""
    contents = {"lower": PIECES, "upper": text}
    recipes = []
    for name, data in contents.items():
        path = f"src/{hashlib.sha256(data).hexdigest()}"  # a recipe does not know other bytes
        entry = Entry.file(path, Bytes(data))
        recipes.append(FilesRecipe(name=name, architecture="amd64", entries=(entry,)))
    layers = anyio.run(builder.layers, recipes)
    image = make_image(
        [*zip(contents, layers, strict=True)],
        platform=platform,
        environment={"PATH": "/bin"},
        labels={},
        entrypoint=(),
        command=("true",),
        working_directory="/",
        port=5000,
    )
    return image, {layer.digest: name for name, layer in zip(contents, layers, strict=True)}


def blob_of(builder: Builder, layer: Layer) -> Path:
    """Return where the layer's blob is in the builder's cache."""
    return builder.cache.path(layer.digest.removeprefix("sha256:"))


async def ensure(builder: Builder, layers: Sequence[Layer]) -> None:
    """Make the blobs that the builder's cache lacks."""
    missing = [layer for layer in layers if builder.cached("", layer) is None]
    async with builder.making(missing) as blobs:
        for blob in blobs:
            await blob.file()


def rot(file: Path) -> None:
    """Flip a bit as a disk would: without a trace in the file's times."""
    status = file.stat()
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
