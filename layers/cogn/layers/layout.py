"""OCI image layouts (OCI image specification 1.1, image-layout.md), as a directory or a file."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio.to_thread
import msgspec

from cogn.layers.destination import LayerBlob
from cogn.layers.entry import MTIME
from cogn.layers.errors import LayerError
from cogn.layers.image import Document, Image, index_of, make_index, manifests_of
from cogn.store import replace_file, replacing
from cogn.store.files import place_file
from cogn.store.intact import is_intact

__all__ = ["OciArchive", "OciLayout"]

_LAYOUT_FILE = "oci-layout"
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_REF_NAME = "org.opencontainers.image.ref.name"


class OciLayout:
    """An OCI layout in a directory. Other tags in it stay; the index changes last, in one step."""

    def __init__(self, path: Path, tag: str, left_out: Container[str] = ()) -> None:
        """Raise `LayerError` when `path` is something else than a layout or an empty directory.

        The blobs whose digests are in `left_out` do not come here: whoever reads the layout has
        them from elsewhere.
        """
        self._path = path
        self._tag = tag
        self._left_out = left_out
        if path.is_dir():
            if not (path / _LAYOUT_FILE).exists() and any(
                child.name != "blobs" for child in path.iterdir()
            ):
                raise LayerError(
                    f"`{path}` has other files in it and is no OCI layout",
                    hint="name a new directory",
                )
        elif path.exists():
            raise LayerError(f"`{path}` is a file, not a directory")
        self._manifests = self._other_manifests()

    async def has(self, digest: str) -> bool:
        """Tell whether the blob is there, and intact, or need not be there."""
        if digest in self._left_out:
            return True
        path = self._blob(digest)
        return await anyio.to_thread.run_sync(is_intact, path, digest.removeprefix("sha256:"))

    async def put_layer(self, blob: LayerBlob) -> None:
        """Link the layer's blob into the layout, or copy it when links cannot be."""
        await anyio.to_thread.run_sync(place_file, await blob.file(), self._blob(blob.digest))

    async def put_document(self, document: Document) -> None:
        """Write a small blob."""
        target = self._blob(document.digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(target, document.data)

    async def finish(self, images: Sequence[Image]) -> frozenset[str]:
        """Write the manifests and name the image, or the index of several, in ``index.json``."""
        for document in manifests_of(images):
            await self.put_document(document)
        replace_file(self._path / _LAYOUT_FILE, _LAYOUT)
        index = index_of([*self._manifests, _described(images, self._tag)])
        replace_file(self._path / "index.json", index.data)
        return frozenset()

    def _blob(self, digest: str) -> Path:
        return self._path.joinpath("blobs", *digest.split(":"))

    def _other_manifests(self) -> list[dict[str, Any]]:
        """Return the index's descriptors but the one that has our tag."""
        path = self._path / "index.json"
        try:
            index = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
            manifests = msgspec.convert(index.get("manifests", []), list[dict[str, Any]])
        except FileNotFoundError:
            return []
        except (msgspec.MsgspecError, OSError) as error:
            raise LayerError(f"`{path}` is not the index of an OCI layout ({error})") from error
        return [
            each
            for each in manifests
            if (each.get("annotations") or {}).get(_REF_NAME) != self._tag
        ]


class OciArchive:
    """An OCI layout in one tar file, written when the image is complete."""

    def __init__(self, file: Path, name: str) -> None:
        """Write to `file`; `podman load` calls the image `name`. Docker wants a Docker archive."""
        self._file = file
        self._name = name
        self._layers: dict[str, Path] = {}
        self._documents: dict[str, bytes] = {}

    async def has(self, digest: str) -> bool:
        """Tell whether the blob was put already."""
        return digest in self._layers or digest in self._documents

    async def put_layer(self, blob: LayerBlob) -> None:
        """Remember the layer's blob for `finish`."""
        self._layers[blob.digest] = await blob.file()

    async def put_document(self, document: Document) -> None:
        """Remember a small blob for `finish`."""
        self._documents[document.digest] = document.data

    async def finish(self, images: Sequence[Image]) -> frozenset[str]:
        """Write the tar file, in place of an earlier one, in one step."""
        for document in manifests_of(images):
            await self.put_document(document)
        index = index_of([_described(images, self._name)])
        await anyio.to_thread.run_sync(self._write, index.data)
        return frozenset()

    def _write(self, index: bytes) -> None:
        small = {_LAYOUT_FILE: _LAYOUT, "index.json": index} | {
            _tar_name(digest): data for digest, data in self._documents.items()
        }
        large = {_tar_name(digest): path for digest, path in self._layers.items()}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self._file) as out, tarfile.open(fileobj=out, mode="w") as archive:
            _write_members(archive, small, large)


def _write_members(
    archive: tarfile.TarFile, small: Mapping[str, bytes], large: Mapping[str, Path]
) -> None:
    for name in sorted({*small, *large}):
        member = tarfile.TarInfo(name)
        member.mtime = MTIME
        if name in small:
            member.size = len(small[name])
            archive.addfile(member, io.BytesIO(small[name]))
        else:
            with large[name].open("rb") as file:
                member.size = os.fstat(file.fileno()).st_size
                archive.addfile(member, file)


def _described(images: Sequence[Image], name: str) -> dict[str, object]:
    """Return the descriptor of an image, or of the index of several, under a name."""
    described = images[0].descriptor if len(images) == 1 else make_index(images).descriptor
    return described | {"annotations": {_REF_NAME: name}}


def _tar_name(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")
