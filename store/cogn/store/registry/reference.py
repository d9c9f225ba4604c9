"""Image references: ``[host[:port]/]repository[:tag][@digest]``, read as Docker reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cogn.store.errors import RegistryError

__all__ = ["DOCKER_HUB", "Reference"]

DOCKER_HUB = "docker.io"
"""The host of a reference that names none."""

_HUB_ALIASES = frozenset({"index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})
_DEFAULT_TAG = "latest"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?"
)
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST = 255


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of an image, or of any artifact, in a registry. Make it with `Reference.parse`."""

    host: str
    """As people write it, such as ``docker.io``; where that answers is configuration."""
    repository: str
    tag: str
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Return the reference that `text` is; raises `RegistryError` when it is none.

        A first part without dot, colon and uppercase letter that is not ``localhost`` belongs to
        the repository, which is then Docker Hub's (the grammar of distribution/reference).
        """
        rest, at, digest = text.partition("@")
        host, slash, repository = rest.partition("/")
        if not slash or not _is_host(host):
            host, repository = DOCKER_HUB, rest
        if host in _HUB_ALIASES:
            host = DOCKER_HUB
        name, colon, tag = repository.partition(":")
        if host == DOCKER_HUB and "/" not in name:
            name = f"library/{name}"
        if (
            not _HOST.fullmatch(host)
            or not _REPOSITORY.fullmatch(name)
            or len(f"{host}/{name}") > _LONGEST
            or (colon and not _TAG.fullmatch(tag))
            or (at and not _DIGEST.fullmatch(digest))
        ):
            raise RegistryError(
                f"`{text}` is not an image reference",
                hint="write it as `registry.example.com/models/mine:1`, in lower case",
            )
        return cls(host, name, tag or _DEFAULT_TAG, digest or None)

    @property
    def version(self) -> str:
        """Return what the distribution API calls a reference: the digest if known, else the tag."""
        return self.digest or self.tag

    def __str__(self) -> str:
        """Return the reference in full."""
        named = f"{self.host}/{self.repository}:{self.tag}"
        return named if self.digest is None else f"{named}@{self.digest}"


def _is_host(text: str) -> bool:
    return "." in text or ":" in text or text == "localhost" or text != text.lower()
