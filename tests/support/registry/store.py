"""What a registry holds: repositories and the uploads on their way."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Manifest", "Repository", "Store", "Upload", "digest_of", "is_digest"]

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def digest_of(data: bytes | bytearray) -> str:
    """Return the SHA-256 of some content, as ``sha256:…``."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def is_digest(text: str) -> bool:
    """Tell whether it is a digest of the kind that is supported."""
    return _DIGEST.fullmatch(text) is not None


@dataclass(frozen=True)
class Manifest:
    """A manifest or an index, byte for byte."""

    media_type: str
    data: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object that it is."""
        document: dict[str, Any] = json.loads(self.data)
        return document


@dataclass
class Repository:
    """What one repository holds: blobs and manifests by digest, digests by tag."""

    blobs: dict[str, bytes] = field(default_factory=dict, repr=False)
    manifests: dict[str, Manifest] = field(default_factory=dict, repr=False)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Upload:
    """An upload session: the bytes that the registry holds of a blob."""

    repository: str
    name: str = field(default_factory=lambda: secrets.token_hex(16))
    data: bytearray = field(default_factory=bytearray, repr=False)
    marks: set[str] = field(default_factory=set)
    """What faults have to remember about it."""

    @property
    def range(self) -> str:
        """What is there, as the ``Range`` header says it: nothing and one byte look the same."""
        return f"0-{max(len(self.data) - 1, 0)}"


class Store:
    """All repositories and all uploads."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.uploads: dict[str, Upload] = {}

    def repository(self, name: str) -> Repository:
        """Return a repository, made if it is not there, to put something into it."""
        return self.repositories.setdefault(name, Repository())

    def existing(self, name: str) -> Repository:
        """Return a repository to look into it; an empty one if it is not there."""
        return self.repositories.get(name, Repository())

    def start(self, repository: str) -> Upload:
        """Open an upload session."""
        upload = Upload(repository)
        self.uploads[upload.name] = upload
        return upload
