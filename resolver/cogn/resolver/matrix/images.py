"""NVIDIA's images of CUDA: which tags there are, or were."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Literal, cast

from pydantic import StringConstraints

from cogn.resolver.matrix.words import Row, Words, numbers

__all__ = ["CudaImages", "Flavour", "NvidiaImages"]

Flavour = Literal["base", "runtime", "devel"]
Patch = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]
Ubuntu = Annotated[str, StringConstraints(pattern=r"^\d\d\.04$")]

_TAG = re.compile(
    r"(?P<cuda>\d+\.\d+\.\d+)(-(?P<cudnn>cudnn\d*))?-(?P<flavour>base|runtime|devel)"
    r"-ubuntu(?P<ubuntu>\d\d\.\d\d)"
)
_FLAVOURS: tuple[Flavour, ...] = ("base", "runtime", "devel")


class CudaImages(Row):
    """The images of one release of CUDA."""

    cuda: Patch
    cudnn: Literal["cudnn8", "cudnn9", "cudnn"] | None = None
    """How tags say that cuDNN is in an image, which it never is in the flavour ``base``; None when
    no image of this release has it."""
    ubuntu: Annotated[tuple[Ubuntu, ...], Words]

    @property
    def cudnn_major(self) -> int | None:
        """The major version of the images' cuDNN: tags that do not say it have 9."""
        return int(self.cudnn.removeprefix("cudnn") or 9) if self.cudnn else None

    def has(self, cudnn: bool | int) -> bool:
        """Whether there are images with cuDNN, or with that major version of it."""
        return not cudnn or (self.cudnn is not None and cudnn in (True, self.cudnn_major))

    def tag(self, flavour: Flavour, ubuntu: str, *, cudnn: bool) -> str:
        """Return the name of an image."""
        middle = f"{self.cudnn}-{flavour}" if cudnn else flavour
        return f"{self.cuda}-{middle}-ubuntu{ubuntu}"

    def tags(self) -> Iterator[str]:
        """Yield the names of all of its images."""
        for ubuntu in self.ubuntu:
            for flavour in _FLAVOURS:
                yield self.tag(flavour, ubuntu, cudnn=False)
                if self.cudnn and flavour != "base":
                    yield self.tag(flavour, ubuntu, cudnn=True)


class NvidiaImages(Row):
    """The images of CUDA on Ubuntu."""

    repository: str
    """Their repository on Docker Hub."""
    images: tuple[CudaImages, ...]

    @cached_property
    def known(self) -> frozenset[str]:
        """All tags. NVIDIA removes those of old releases: a known one may be gone."""
        return frozenset(tag for images in self.images for tag in images.tags())

    def tag(
        self, cuda: str, flavour: Flavour, *, cudnn: bool | int = False, ubuntu: str | None = None
    ) -> str | None:
        """Return the tag of the newest image that fits, None when there is none.

        `cuda` is ``12.6``, for its newest patch, or ``12.6.3``. `cudnn` is whether it has to be
        there, or its major version. `ubuntu` is ``24.04``; without it, the newest one is taken.
        """
        if cudnn and flavour == "base":
            return None
        wanted = numbers(cuda)
        fitting = [
            (numbers(images.cuda), release, images)
            for images in self.images
            if numbers(images.cuda)[: len(wanted)] == wanted and images.has(cudnn)
            for release in images.ubuntu
            if ubuntu in (None, release)
        ]
        if not fitting:
            return None
        _, release, images = max(fitting, key=lambda each: each[:2])
        return images.tag(flavour, release, cudnn=bool(cudnn))

    def nearest(self, tag: str) -> str | None:
        """Return the known tag that comes nearest to one that is gone, never that one itself.

        The flavour, cuDNN and the major version of CUDA stay. The same Ubuntu comes first, then a
        newer CUDA, because NVIDIA removes the oldest; then the smallest step. None when `tag` is
        none of NVIDIA's, or nothing comes near.
        """
        match = _TAG.fullmatch(tag)
        if match is None:
            return None
        gone, gone_ubuntu = numbers(match["cuda"]), match["ubuntu"]
        flavour = cast(Flavour, match["flavour"])

        def distance(images: CudaImages, ubuntu: str) -> tuple[object, ...]:
            there = numbers(images.cuda)
            steps = tuple(abs(a - b) for a, b in zip(there, gone, strict=True))
            return (ubuntu != gone_ubuntu, there < gone, steps, ubuntu < gone_ubuntu, ubuntu)

        near = [
            (distance(images, ubuntu), other)
            for images in self.images
            if numbers(images.cuda)[0] == gone[0] and (images.cudnn or not match["cudnn"])
            for ubuntu in images.ubuntu
            if (other := images.tag(flavour, ubuntu, cudnn=bool(match["cudnn"]))) != tag
        ]
        return min(near, key=lambda each: each[0])[1] if near else None
