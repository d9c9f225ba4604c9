"""Where an image goes, as people write it: ``oci:PATH[:TAG]`` or ``oci-archive:FILE``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cogn.layers.errors import LayerError
from cogn.layers.image import Document, Image
from cogn.layers.layer import Layer

__all__ = ["DEFAULT_TAG", "Destination", "LocalDestination"]

DEFAULT_TAG = "latest"

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


class Destination(Protocol):
    """A place that an image is published to, blob by blob, and named last."""

    async def has(self, digest: str) -> bool:
        """Tell whether the place has the blob already."""
        ...

    async def put_layer(self, layer: Layer, name: str, file: Path) -> None:
        """Take the blob of a layer; `name` is for progress."""
        ...

    async def put_document(self, document: Document) -> None:
        """Take a small blob."""
        ...

    async def finish(self, image: Image) -> None:
        """Take the manifest: from here on the image is there, whole."""
        ...


@dataclass(frozen=True, slots=True)
class LocalDestination:
    """A parsed destination on this machine; see `parse`."""

    kind: str
    path: Path
    tag: str

    @classmethod
    def parse(cls, text: str) -> LocalDestination:
        """Return what `text` says; raises `LayerError` when it is neither form."""
        kind, colon, rest = text.partition(":")
        if kind not in {"oci", "oci-archive"} or not colon or not rest:
            raise LayerError(
                f"`{text}` is not a destination",
                hint="write `oci:DIRECTORY[:TAG]` or `oci-archive:FILE`",
            )
        path, tag = rest, DEFAULT_TAG
        if kind == "oci":
            head, colon, tail = rest.rpartition(":")
            if colon and head and _TAG.fullmatch(tail):
                path, tag = head, tail
        return cls(kind, Path(path), tag)

    def __str__(self) -> str:
        """Return the destination as skopeo and podman take it."""
        return f"{self.kind}:{self.path}" + (f":{self.tag}" if self.kind == "oci" else "")
