"""Where an image goes, as people write it: ``oci:PATH[:TAG]``, ``docker-archive:FILE`` and such."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cogn.layers.errors import LayerError
from cogn.layers.image import Document, Image
from cogn.layers.layer import Layer
from cogn.store.registry import Blob, Reference

__all__ = ["DEFAULT_TAG", "Destination", "LayerBlob", "LocalDestination"]

DEFAULT_TAG = "latest"

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerBlob(Blob):
    """A layer's blob: as a stream, which keeps nothing, or as a file in the cache."""

    layer: Layer
    file: Callable[[], Awaitable[Path]]
    """Returns the path of the file, which is made if it is not there."""
    sources: tuple[tuple[str, str], ...] = ()
    """Registries and repositories of theirs that have it, as far as that is known beforehand."""


class Destination(Protocol):
    """A place that images are published to, blob by blob, and named last."""

    async def has(self, digest: str) -> bool:
        """Tell whether the place has the blob already."""
        ...

    async def put_layer(self, blob: LayerBlob) -> None:
        """Take the blob of a layer."""
        ...

    async def put_document(self, document: Document) -> None:
        """Take a small blob."""
        ...

    async def finish(self, images: Sequence[Image]) -> frozenset[str]:
        """Take the manifests, one for each platform: from here on the images are there, whole.

        The place's name stands for the manifest of one image, or for the index of several. Return
        the digests of blobs that are not there although `has` said so: then nothing has changed.
        """
        ...


@dataclass(frozen=True, slots=True)
class LocalDestination:
    """A parsed destination on this machine; see `parse`."""

    kind: str
    path: Path
    tag: str
    name: str | None = None
    """What a Docker archive calls the image, with its tag."""

    @classmethod
    def parse(cls, text: str) -> LocalDestination:
        """Return what `text` says; raises `LayerError` when it is none of the forms."""
        kind, colon, rest = text.partition(":")
        if kind not in {"oci", "oci-archive", "docker-archive"} or not colon or not rest:
            raise LayerError(
                f"`{text}` is not a destination",
                hint="write `oci:DIRECTORY[:TAG]`, `oci-archive:FILE` or "
                "`docker-archive:FILE[:NAME[:TAG]]`",
            )
        path, tag = rest, DEFAULT_TAG
        if kind == "docker-archive":
            head, colon, tail = rest.partition(":")
            if colon and head:
                return cls(kind, Path(head), tag, _tagged(tail))
        if kind == "oci":
            head, colon, tail = rest.rpartition(":")
            if colon and head and _TAG.fullmatch(tail):
                path, tag = head, tail
        return cls(kind, Path(path), tag)

    def __str__(self) -> str:
        """Return the destination as skopeo and podman take it."""
        name = self.tag if self.kind == "oci" else self.name
        return f"{self.kind}:{self.path}" + (f":{name}" if name else "")


def _tagged(name: str) -> str:
    """Return `name` with a tag; raises an error when it is no name to give an image."""
    reference = Reference.parse(name)
    if reference.digest is not None:
        raise LayerError(f"`{name}` has a digest, which cannot be given", hint="name a tag")
    return name if name.endswith(f":{reference.tag}") else f"{name}:{reference.tag}"
