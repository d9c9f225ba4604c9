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
    "Asked",
    "Base",
    "BaseLayer",
    "BuiltFrom",
    "Cuda",
    "Deb",
    "DebianBase",
    "DistributionPython",
    "Environment",
    "ImageBase",
    "Lock",
    "Platform",
    "Python",
    "Seal",
    "StandalonePython",
    "TorchIndex",
    "Wheel",
]

FORMAT = 1
"""The version of the lock format that this code reads and writes."""

LOCK_NAME = "cogn.lock"
"""The file name of a lock, beside ``cog.yaml``."""

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Digest = Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$")]
Size = Annotated[int, Meta(ge=0)]
PythonVersion = Annotated[str, Meta(pattern=r"^3\.\d+\.\d+$")]
Platform = Literal["linux/amd64", "linux/arm64"]
"""The platforms an image can be made for, in OCI's terms."""


class Archive(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A suite of an archive at one moment: that of the InRelease file that was verified."""

    name: str
    """The archive's name as mirrors and snapshots use it: ``debian``, ``debian-security``.
    Suites of one archive, such as ``noble`` and ``noble-updates``, have it in common."""
    suite: str
    components: tuple[str, ...]
    snapshot: Annotated[str, Meta(pattern=r"^\d{8}T\d{6}Z$")]
    """The ``Date`` of the InRelease file, in the form of the snapshot services."""
    release: Sha256
    """The hash of the InRelease file."""


class Deb(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
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
    source: str = ""
    """The source package's name where it is another one than the package's own."""
    replaces: tuple[str, ...] = ()
    """The packages of the same environment whose files it may take over (Debian policy 7.6)."""


class DebianBase(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="debian"
):
    """The root file system below everything else, made from packages."""

    release: str
    """The code name of the release, such as ``trixie``."""
    shell: bool = True
    """Whether it has a shell and the usual tools, not only what programs need to run."""
    reason: str
    archives: tuple[Archive, ...]
    debs: tuple[Deb, ...]


class BaseLayer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A layer of a base that is an image."""

    digest: Digest
    diff_id: Digest
    size: Size
    media_type: Literal[
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
    ]
    """What OCI calls the blob's type, whatever the base's own manifest calls it."""


class ImageBase(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="kind",
    tag="image",
):
    """An image of a registry below everything else, and the packages that it lacks."""

    reference: str
    """The image's name in full, with its tag, without a digest."""
    index: Digest | None = None
    """Of the index that names the manifest, if there is one."""
    manifest: Digest
    rootfs: Digest
    """Of what the layers hold, as `cogn.store.images.Rootfs` writes it."""
    release: str
    reason: str
    environment: tuple[Annotated[str, Meta(pattern="^[^=]+=")], ...]
    """The variables that the image's configuration sets."""
    labels: dict[str, str] = {}
    """Those of the image's configuration, sorted."""
    layers: Annotated[tuple[BaseLayer, ...], Meta(min_length=1)]
    """Bottom first."""
    archives: tuple[Archive, ...]
    debs: tuple[Deb, ...]
    """The packages of a base that the image lacks."""
    interpreter: tuple[Deb, ...]
    """What the image has, and Python is run with to compile while the image is assembled."""

    def __hash__(self) -> int:
        """Return the hash of what names all the rest; a dictionary has none."""
        return hash(self.manifest)


Base = DebianBase | ImageBase
"""What an image starts from."""


class DistributionPython(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="source",
    tag="distribution",
):
    """The interpreter that packages of the base's own distribution bring."""

    version: PythonVersion
    reason: str
    debs: tuple[Deb, ...]
    """What the interpreter needs beyond the packages of the base."""


class StandalonePython(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="source",
    tag="standalone",
):
    """An interpreter of python-build-standalone, which needs nothing of a base but its glibc."""

    version: PythonVersion
    reason: str
    release: Annotated[str, Meta(pattern=r"^\d{8}$")]
    """The release of that project, which is the day that it was built on."""
    file: Annotated[str, Meta(pattern=r"^cpython-[\w.+-]+\.tar\.gz$")]
    """The archive's name, of the ``install_only`` kind, stripped where there is such a one."""
    sha256: Sha256

    @property
    def debs(self) -> tuple[Deb, ...]:
        """None: it brings all that it needs."""
        return ()


Python = DistributionPython | StandalonePython
"""The interpreter that runs the model and the server."""


class Cuda(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the image brings for the GPU and what it asks of the machine."""

    version: str
    """The CUDA toolkit's major and minor version."""
    cudnn: str | None = None
    driver: str
    """The oldest Linux driver that runs it."""
    capabilities: tuple[str, ...] = ()
    """The compute capabilities that PyTorch has code for, such as ``7.5`` and ``12.0+PTX``; none
    when that is not known."""
    provider: Literal["wheels", "base"]
    reasons: Annotated[tuple[str, ...], Meta(min_length=1)]
    """Why these, one statement each."""


class TorchIndex(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of PyTorch's own indexes, each of which has builds for one version of CUDA or none."""

    backend: Annotated[str, Meta(pattern=r"^[a-z0-9.]+$")]
    """As uv's ``--torch-backend`` and PyTorch's own versions call it: ``cu126``, ``cpu``."""
    reason: str


class BuiltFrom(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a wheel was built from: a source archive, or a commit of a Git repository."""

    file: str | None = None
    sha256: Sha256 | None = None
    commit: Annotated[str, Meta(pattern=r"^[0-9a-f]{40}$")] | None = None


class Wheel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One wheel (PEP 427) of the image."""

    name: str
    version: str
    file: str
    sha256: Sha256
    size: Size
    built: BuiltFrom | None = None
    """Its source, where no index has the wheel itself."""


class Seal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came out of a recipe once: a later build must give the same."""

    layer: str
    """The layer's name, for people."""
    recipe: Digest
    diff_id: Digest
    digest: Digest
    size: Size


class Asked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the packages of the system answer."""

    packages: Annotated[tuple[str, ...], Meta(min_length=1)]
    """``system_packages`` of cog.yaml, sorted."""
    recommends: bool
    """Whether what they recommend comes along."""


class Environment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the image for one platform is made of, apart from the source tree."""

    base: Base
    python: Python
    asked: Asked | None = None
    """None when no system packages are asked for."""
    system: tuple[Deb, ...] = ()
    """What ``system_packages`` asks for, and what that needs beyond the rest."""
    unrun: tuple[str, ...] = ()
    """The packages whose maintainer scripts may have effects that the image lacks."""
    cuda: Cuda | None = None
    torch: TorchIndex | None = None
    """The index of PyTorch that its packages come from; None for wherever others come from."""
    wheels: tuple[Wheel, ...] = ()
    """The model's environment."""
    server: tuple[Wheel, ...]
    """The server's environment, resolved on its own."""
    tools: tuple[Wheel, ...] = ()
    """pip, for people in a running image, where Python comes without."""
    seals: tuple[Seal, ...] = ()

    @property
    def torch_backend(self) -> str | None:
        """What uv's ``--torch-backend`` was for the wheels."""
        return self.torch.backend if self.torch else None

    @property
    def debs(self) -> tuple[Deb, ...]:
        """All packages that are put into the image: the base's, the interpreter's, the system's."""
        return self.base.debs + self.python.debs + self.system

    @property
    def fetched_debs(self) -> tuple[Deb, ...]:
        """All packages that may be needed to make the image, those that it has already included."""
        return self.debs + (self.base.interpreter if isinstance(self.base, ImageBase) else ())

    @property
    def fetched_wheels(self) -> tuple[Wheel, ...]:
        """All wheels that may be needed to make the image."""
        return self.wheels + self.server + self.tools


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
