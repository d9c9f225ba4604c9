"""What the lock says of CUDA, and why; `test_choice` has all the cases."""

from __future__ import annotations

from functools import partial

import pytest

from cogn.lockfiles import Cuda, ImageBase, TorchIndex, Wheel
from cogn.resolver import CudaError
from cogn.resolver.cuda import CudaChoice, GpuRequest, SystemCuda, choose_cuda
from cogn.resolver.gpu import cuda_in_image
from cogn.resolver.matrix import load_matrix
from cogn.resolver.nvidia import is_such, reference_for
from support.reports import Recorder


def wheels(pins: str) -> list[Wheel]:
    """Wheels of ``name==version`` pins, apart by spaces."""
    return [
        Wheel(name=name, version=version, file=f"{name}.whl", sha256="0" * 64, size=1000)
        for name, _, version in (pin.partition("==") for pin in pins.split())
    ]


def chosen(pins: str, index: TorchIndex | None = None) -> CudaChoice:
    request = GpuRequest(gpu=True, python="3.13")
    return choose_cuda(wheels(pins), request, "linux/amd64", load_matrix(), Recorder(), index=index)


def test_the_lock_says_what_wheels_bring_and_why() -> None:
    index = TorchIndex(backend="cu126", reason="`build.cuda` asks for CUDA 12.6")
    pins = "torch==2.13.0+cu126 nvidia-cuda-runtime-cu12==12.6.77 nvidia-cudnn-cu12==9.10.2.21"
    assert chosen(pins, index).wheels == Cuda(
        version="12.6",
        cudnn="9.10.2.21",
        driver="525.60.13",
        capabilities=("5.0", "6.0", "7.0", "7.5", "8.0", "8.6", "9.0"),
        provider="wheels",
        reasons=(
            "the wheels bring it: nvidia-cuda-runtime-cu12 12.6.77 and nvidia-cudnn-cu12 9.10.2.21",
            "torch 2.13.0 comes from PyTorch's index `cu126`: `build.cuda` asks for CUDA 12.6",
            "any CUDA 12 runs with driver 525.60.13 or newer",
        ),
    )


def test_of_two_versions_of_cuda_the_newer_one_counts() -> None:
    found = chosen("a==1 nvidia-cuda-runtime-cu11==11.8.89 nvidia-cuda-runtime-cu12==12.8.90")
    assert found.wheels is not None
    assert found.wheels.version == "12.8"


def image(*environment: str) -> ImageBase:
    """A base with variables."""
    return ImageBase(
        reference="docker.io/nvidia/cuda:12.6.3-cudnn-runtime-ubuntu24.04",
        manifest="sha256:" + "0" * 64,
        rootfs="sha256:" + "0" * 64,
        release="noble",
        reason="for tests",
        environment=environment,
        layers=(),
        archives=(),
        debs=(),
        interpreter=(),
    )


def test_the_lock_says_what_the_base_brings_and_why() -> None:
    base = image("CUDA_VERSION=12.6.3", "NV_CUDNN_VERSION=9.5.1.17-1")
    needed = SystemCuda("12.6", cudnn=True, reason="something uses the system's CUDA 12.6")
    assert cuda_in_image(base, CudaChoice(system=needed), load_matrix()) == Cuda(
        version="12.6",
        cudnn="9.5.1.17",
        driver="525.60.13",
        provider="base",
        reasons=(
            "the base brings it: CUDA 12.6.3",
            "something uses the system's CUDA 12.6",
            "any CUDA 12 runs with driver 525.60.13 or newer",
        ),
    )


def test_a_base_that_names_no_cuda_is_an_error() -> None:
    with pytest.raises(CudaError) as caught:
        cuda_in_image(image("PATH=/bin"), CudaChoice(), load_matrix())
    assert str(caught.value) == (
        "cogn.toml, `base`: the model asks for a GPU, and neither its packages nor its base bring "
        "CUDA"
    )


def test_a_locked_image_of_nvidia_stays_when_there_is_a_newer_one() -> None:
    matrix = load_matrix()
    newest = str(reference_for("runtime", "12.6", cudnn=True, ubuntu="24.04", matrix=matrix))
    assert newest == "docker.io/nvidia/cuda:12.6.3-cudnn-runtime-ubuntu24.04"
    such = partial(is_such, cudnn=True, ubuntu="24.04", matrix=matrix)
    older = newest.replace("12.6.3", "12.6.2")
    assert such(older, "runtime", "12.6")
    assert not such(older, "runtime", "12.6.3")
    assert not such(older, "devel", "12.6")
    assert not such(older, "runtime", "12.8")
