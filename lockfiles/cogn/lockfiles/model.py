"""The lock: everything an image will contain, named by content.

Plain frozen data. Digests are written ``sha256:<hex>`` as in OCI; a field called ``sha256`` is the
bare hex, as Debian's and Python's indexes write it. Sizes are bytes. Nothing here is a place: no
host, no absolute path, no credential.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

__all__ = [
    "FORMAT",
    "LOCK_NAME",
    "Archive",
    "Base",
    "Cuda",
    "Deb",
    "Environment",
    "Lock",
    "Platform",
    "Python",
    "Seal",
    "Wheel",
]

FORMAT = 1
"""The version of the lock format that this code reads and writes."""

LOCK_NAME = "cogn.lock"
"""The file name of a lock, beside ``cog.yaml``."""

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Digest = Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$")]
Size = Annotated[int, Meta(ge=0)]
Platform = Literal["linux/amd64", "linux/arm64"]
"""The platforms an image can be made for, in OCI's terms."""


class Archive(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Debian archive at one moment: the suite of which the InRelease file was verified."""

    name: str
    """The archive's name as mirrors and snapshots use it: ``debian``, ``debian-security``."""
    suite: str
    components: tuple[str, ...]
    snapshot: Annotated[str, Meta(pattern=r"^\d{8}T\d{6}Z$")]
    """The ``Date`` of the InRelease file, in the form of the snapshot services."""
    release: Sha256
    """The hash of the InRelease file."""


class Deb(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One binary package of an archive (Debian policy 3 and 5)."""

    name: str
    version: str
    architecture: str
    archive: str
    """``name`` of the lock's archive that holds it."""
    path: str
    """The package's ``Filename``: its path below the archive's root."""
    sha256: Sha256
    size: Size


class Base(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The root file system below everything else, made from packages."""

    kind: Literal["debian"]
    release: str
    """The code name of the release, such as ``trixie``."""
    reason: str
    archives: tuple[Archive, ...]
    debs: tuple[Deb, ...]


class Python(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The interpreter that runs the model and the server."""

    version: Annotated[str, Meta(pattern=r"^3\.\d+\.\d+$")]
    source: Literal["debian"]
    reason: str
    debs: tuple[Deb, ...]
    """What the interpreter needs beyond the packages of the base."""


class Cuda(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the image brings for the GPU and what it asks of the machine."""

    version: str
    """The CUDA toolkit's major and minor version."""
    cudnn: str | None = None
    driver: str
    """The oldest Linux driver that runs it."""
    provider: Literal["wheels"]
    reason: str


class Wheel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One wheel (PEP 427) of the image."""

    name: str
    version: str
    file: str
    sha256: Sha256
    size: Size


class Seal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came out of a recipe once: a later build must give the same."""

    layer: str
    """The layer's name, for people."""
    recipe: Digest
    diff_id: Digest
    digest: Digest
    size: Size


class Environment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the image for one platform is made of, apart from the source tree."""

    base: Base
    python: Python
    cuda: Cuda | None = None
    wheels: tuple[Wheel, ...] = ()
    """The model's environment."""
    server: tuple[Wheel, ...]
    """The server's environment, resolved on its own."""
    seals: tuple[Seal, ...] = ()

    @property
    def debs(self) -> tuple[Deb, ...]:
        """All packages of the image: the base's, then the interpreter's."""
        return self.base.debs + self.python.debs


class Lock(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that the images of a model are made of, apart from the source tree."""

    format: int = FORMAT
    inputs: Digest
    """The digest of the parsed inputs that this lock answers: another one means it is stale."""
    bytecode: bool = True
    """Whether the images have the bytecode of their Python modules."""
    environments: Annotated[dict[Platform, Environment], Meta(min_length=1)]

    def only(self, platform: Platform) -> Lock:
        """Return the part of the lock that is about one of its platforms."""
        return replace(self, environments={platform: self.environments[platform]})

    def sealed(self, seals: Mapping[Platform, tuple[Seal, ...]]) -> Lock:
        """Return the lock with these seals in place of those of the same platforms."""
        resealed = {
            platform: replace(self.environments[platform], seals=each)
            for platform, each in seals.items()
        }
        return replace(self, environments=self.environments | resealed)
