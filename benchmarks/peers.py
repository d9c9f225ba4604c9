"""What others do to bring an image, or a change of one, to a registry of this machine."""

from __future__ import annotations

from pathlib import Path

from benchmarks.common import fresh
from benchmarks.measurements import Measured, measured

__all__ = ["Buildah", "skopeo"]


def skopeo(layout: Path, image: str) -> Measured:
    """Copy the image of an OCI layout to a registry."""
    places = f"oci:{layout}:latest", f"docker://{image}"
    return measured("skopeo", "copy", "--quiet", "--dest-tls-verify=false", *places)


class Buildah:
    """Puts the source into images that have all the rest, as the last line of a Dockerfile does."""

    def __init__(self, work: Path) -> None:
        self._root = ("--root", fresh(work / "containers"))
        self._file = work / "Dockerfile"

    def push_change(self, source: Path, image: str) -> Measured:
        """Build what an image of a registry becomes with this source, and push it there."""
        self._file.write_text(f"FROM {image}\nCOPY . /src\n")
        built = f"{image}-buildah"
        build = (
            *("bud", "--quiet", "--layers", "--isolation", "chroot", "--network", "host"),
            *("--tls-verify=false", "--file", self._file, "--tag", built, source),
        )
        push = ("push", "--quiet", "--tls-verify=false", built, f"docker://{built}")
        building = measured("buildah", *self._root, *build)
        return building + measured("buildah", *self._root, *push)
