"""CUDA, read from the names and versions of wheels."""

from __future__ import annotations

import pytest

from cogn.lockfiles import Cuda, Wheel
from cogn.report import Where
from cogn.resolver import CudaError
from cogn.resolver.cuda import cuda_of
from cogn.resolver.matrix import load_matrix
from support.reports import Recorder

WHERE = Where("cog.yaml", "build.gpu", 3)


def wheels(pins: str, *, size: int = 1000) -> list[Wheel]:
    """Wheels of ``name==version`` pins, apart by spaces."""
    return [
        Wheel(name=name, version=version, file=f"{name}.whl", sha256="0" * 64, size=size)
        for name, _, version in (pin.partition("==") for pin in pins.split())
    ]


def read(pins: str, *, gpu: bool = True, size: int = 1000) -> tuple[Cuda | None, Recorder]:
    recorder = Recorder()
    cuda = cuda_of(
        wheels(pins, size=size), gpu=gpu, where=WHERE, matrix=load_matrix(), reporter=recorder
    )
    return cuda, recorder


@pytest.mark.parametrize(
    ("pins", "version", "cudnn", "driver", "bringers"),
    [
        (
            "torch==2.5.1 nvidia-cuda-runtime-cu12==12.4.127 nvidia-cudnn-cu12==9.1.0.70",
            *("12.4", "9.1.0.70", "525.60.13"),
            "nvidia-cuda-runtime-cu12 12.4.127 and nvidia-cudnn-cu12 9.1.0.70",
        ),
        (
            "torch==2.15.0 cuda-toolkit==13.2.2 nvidia-cuda-runtime==13.2.86"
            " nvidia-cudnn-cu13==9.26.0.51 nvidia-nvjitlink==13.5.37",
            *("13.2", "9.26.0.51", "580.65.06"),
            "nvidia-cuda-runtime 13.2.86 and nvidia-cudnn-cu13 9.26.0.51",
        ),
        (
            "cupy-cuda12x==14.2.0 cuda-toolkit==12.9.1",
            *("12.9", None, "525.60.13"),
            "cuda-toolkit 12.9.1",
        ),
        (
            "a==1 nvidia-cuda-runtime-cu11==11.8.89 nvidia-cuda-runtime-cu12==12.8.90",
            *("12.8", None, "525.60.13"),
            "nvidia-cuda-runtime-cu12 12.8.90",
        ),
    ],
    ids=["cu12", "cu13", "without cuDNN", "two majors"],
)
def test_the_wheels_say_which_cuda_they_bring(
    pins: str, version: str, cudnn: str | None, driver: str, bringers: str
) -> None:
    cuda, recorder = read(pins)
    assert cuda == Cuda(
        version=version,
        cudnn=cudnn,
        driver=driver,
        provider="wheels",
        reason=f"the wheels bring it: {bringers}",
    )
    assert recorder.warnings == []


@pytest.mark.parametrize(
    ("pins", "hint"),
    [
        ("tensorflow==2.21.0 numpy==2.5.5", "write `tensorflow[and-cuda]`, which brings it"),
        (
            "onnxruntime-gpu==1.28.0 cupy-cuda13x==14.2.0",
            "write `onnxruntime-gpu[cuda,cudnn]` or `cupy-cuda13x[ctk]`, which brings it",
        ),
        (
            "nvidia-ml-py==13.590.48 numpy==2.5.5",
            "require a package whose wheels bring CUDA for the image's platform, such as `torch`, "
            "or write `gpu: false`",
        ),
    ],
)
def test_a_gpu_without_cuda_is_an_error_that_says_what_to_require(pins: str, hint: str) -> None:
    with pytest.raises(CudaError) as caught:
        read(pins)
    assert str(caught.value) == (
        "cog.yaml:3, `build.gpu`: "
        "the model asks for a GPU, and none of its Python packages brings CUDA"
    )
    assert caught.value.hint == hint


def test_a_cuda_newer_than_the_matrix_is_an_error() -> None:
    with pytest.raises(CudaError) as caught:
        read("nvidia-cuda-runtime==99.0.1")
    assert caught.value.message == "nvidia-cuda-runtime 99.0.1: cogn does not know CUDA 99 yet"


def test_cuda_in_an_image_without_gpu_is_a_warning_with_its_size() -> None:
    pins = "torch==2.15.0 nvidia-cuda-runtime==13.2.86 nvidia-cudnn-cu13==9.26.0.51"
    cuda, recorder = read(pins, gpu=False, size=600_000_000)
    assert cuda is None
    ((message, hint),) = recorder.warnings
    assert message == (
        "cog.yaml:3, `build.gpu`: the model uses no GPU, and its packages bring 1.2 GB of CUDA"
    )
    assert hint is not None
    assert 'torch-backend = "cpu"' in hint


def test_a_model_without_gpu_and_cuda_has_nothing_to_say() -> None:
    cuda, recorder = read("numpy==2.5.5", gpu=False)
    assert (cuda, recorder.warnings) == (None, [])


def test_the_matrix_knows_a_driver_for_every_cuda_that_wheels_exist_for() -> None:
    matrix = load_matrix()
    assert sorted(matrix.drivers) == [11, 12, 13]
    for package, requirement in matrix.extras.items():
        assert requirement.startswith(f"{package}[")
