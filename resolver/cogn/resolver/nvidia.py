"""NVIDIA's images of CUDA: which one a model needs, and which to take for one that is gone."""

from __future__ import annotations

from packaging.version import Version

from cogn.report import Where
from cogn.resolver.errors import CudaError
from cogn.resolver.matrix import Flavour, Matrix, load_matrix
from cogn.resolver.root import SETTINGS_NAME
from cogn.store.registry import DOCKER_HUB, Reference

__all__ = ["REMOVES", "is_such", "nearest_tag", "reference_for"]

REMOVES = "NVIDIA removes its images some months after their support has ended"
"""What is to be said of an image of NVIDIA's that is gone."""


def reference_for(
    flavour: Flavour,
    cuda: str,
    *,
    cudnn: bool | int,
    ubuntu: str | None,
    matrix: Matrix,
) -> Reference:
    """Return the newest image of a flavour with a version of CUDA.

    `cuda` is ``12.6`` or ``12.6.3``; `cudnn` tells whether that has to be in it, or its major
    version; `ubuntu` is ``24.04``, None for the newest. Raises `CudaError` when no such image is
    known, which names the nearest versions of CUDA that have one.
    """
    images = matrix.nvidia
    tag = images.tag(cuda, flavour, cudnn=cudnn, ubuntu=ubuntu)
    if tag is None:
        what = f"NVIDIA has no image `{flavour}` of CUDA {cuda}"
        what += " with cuDNN" if cudnn else ""
        what += f" {cudnn}" if cudnn and not isinstance(cudnn, bool) else ""
        what += f" on Ubuntu {ubuntu}" if ubuntu else ""
        fitting = {
            each.cuda
            for each in images.images
            if images.tag(each.cuda, flavour, cudnn=cudnn, ubuntu=ubuntu)
        }
        raise CudaError(
            what,
            where=Where(SETTINGS_NAME, key="base"),
            hint=_hint(cuda, sorted(fitting, key=Version)),
        )
    return Reference(DOCKER_HUB, images.repository, tag)


def is_such(
    name: str, flavour: Flavour, cuda: str, *, cudnn: bool | int, ubuntu: str | None, matrix: Matrix
) -> bool:
    """Tell whether `name`, a reference in full, is such an image, be it the newest one or not."""
    images = matrix.nvidia
    prefix = f"{DOCKER_HUB}/{images.repository}:"
    return any(
        name == prefix + each.tag(flavour, release, cudnn=bool(cudnn))
        for each in images.images
        if f"{each.cuda}.".startswith(f"{cuda}.")
        and (isinstance(cudnn, bool) or each.cudnn_major == cudnn)
        for release in each.ubuntu
        if ubuntu in {None, release}
    )


def nearest_tag(reference: Reference) -> str | None:
    """Return the known tag that is nearest to the reference's, None if it is none of NVIDIA's.

    Copies of NVIDIA's repository have its name at the end of theirs.
    """
    images = load_matrix().nvidia
    if not f"/{reference.repository}".endswith(f"/{images.repository}"):
        return None
    return images.nearest(reference.tag)


def _hint(cuda: str, versions: list[str]) -> str:
    """Return the way out, with the versions next to the wanted one of those that there are."""
    wanted = Version(cuda)
    lower = [version for version in versions if Version(version) < wanted][-1:]
    higher = [version for version in versions if Version(version) > wanted][:1]
    near = " and ".join(lower + higher)
    if not near:
        return "take `nvidia-runtime` or `nvidia-devel`, or name an image"
    return f"there are such images of CUDA {near}: set `cuda` in cog.yaml, or name an image"
