"""matrix.toml: that its facts agree with each other, and what is asked of them."""

from __future__ import annotations

import importlib.util
import json
import tomllib
import zipfile
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from types import ModuleType

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from pydantic import ValidationError

from cogn.resolver.matrix import FrameworkRange, Matrix, TorchRelease, load_matrix
from cogn.resolver.releases import OWN_BASES

ROOT = Path(__file__).parents[2]
MATRIX = load_matrix()
VARIANTS = [
    pytest.param(release, backend, id=f"{release.version}+{backend}")
    for release in MATRIX.torch
    for backend in release.variants
    if backend != "cpu"
]


def versions(texts: Sequence[str]) -> list[Version]:
    return [Version(text) for text in texts]


def minors(texts: Sequence[str]) -> list[Version]:
    return versions([text.removesuffix("+PTX") for text in texts])


def span(row: FrameworkRange) -> tuple[Version, Version | None]:
    """The first version of a range, and the first one behind it."""
    bounds = {each.operator: Version(each.version) for each in SpecifierSet(row.versions)}
    if "==" in bounds:
        return bounds["=="], Version(f"{bounds['==']}.post0")
    assert bounds.keys() <= {">=", "<"}
    return bounds[">="], bounds.get("<")


# What the tables say together.


def test_every_release_of_torch_stands_once_and_in_order() -> None:
    known = versions([release.version for release in MATRIX.torch])
    assert known == sorted(set(known))
    days = [release.released for release in MATRIX.torch]
    assert days == sorted(days)
    assert (known[0], known[-1]) == (Version("1.13.0"), Version("2.15.0"))


@pytest.mark.parametrize("release", MATRIX.torch, ids=lambda release: release.version)
def test_a_release_of_torch_agrees_with_itself(release: TorchRelease) -> None:
    assert MATRIX.torch_release(release.version) == release
    for pythons in (release.pythons, release.pythons_arm64):
        assert minors(pythons) == sorted(set(minors(pythons)))
    assert set(release.pythons_arm64) <= set(release.pythons)
    cudas = {variant.cuda for variant in release.variants.values()}
    assert release.default_cuda in cudas
    assert release.default_cuda_arm64 in cudas
    assert "cpu" in release.variants
    assert release.variants["cpu"].cuda is None


@pytest.mark.parametrize(("release", "backend"), VARIANTS)
def test_a_build_of_torch_has_code_that_its_cuda_and_cudnn_can_have(
    release: TorchRelease, backend: str
) -> None:
    variant = release.variants[backend]
    assert variant.cuda is not None
    assert backend == f"cu{variant.cuda.replace('.', '')}"
    major = int(variant.cuda.partition(".")[0])
    assert major in MATRIX.drivers
    gpus = {gpu.capability: gpu for gpu in MATRIX.gpus.values()}
    cudnns = [row for row in MATRIX.cudnn if variant.cudnn and row.has(variant.cudnn)]
    assert len(cudnns) == (1 if variant.cudnn else 0)
    assert all(str(major) in row.cuda for row in cudnns)
    assert variant.capabilities
    for capabilities in (variant.capabilities, variant.capabilities_arm64):
        assert minors(capabilities) == sorted(set(minors(capabilities)))
        for capability in capabilities:
            number = capability.removesuffix("+PTX")
            gpu = gpus[number]
            assert Version(gpu.first_cuda) <= Version(variant.cuda)
            assert gpu.last_cuda is None or major <= gpu.last_cuda
            # cuDNN 8 still had Kepler's code; no list of it says so.
            if number != "3.7":
                assert all(Version(row.capability) <= Version(number) for row in cudnns)


@pytest.mark.parametrize("package", MATRIX.frameworks)
def test_one_range_has_a_release_of_a_package_or_several_with_other_extras(package: str) -> None:
    for row, other in combinations(MATRIX.frameworks[package], 2):
        (start, end), (other_start, other_end) = span(row), span(other)
        if (end is None or other_start < end) and (other_end is None or start < other_end):
            assert row.extra is not None
            assert other.extra is not None
            assert row.extra != other.extra


@pytest.mark.parametrize("package", MATRIX.frameworks)
def test_a_range_of_a_package_names_a_cuda_and_cudnn_that_the_matrix_knows(package: str) -> None:
    for row in MATRIX.frameworks[package]:
        start, end = span(row)
        assert (end is None) == (row.newest is not None)
        assert row.newest is None or start <= Version(row.newest)
        assert minors(row.pythons) == sorted(set(minors(row.pythons)))
        major = row.cuda.partition(".")[0]
        assert int(major) in MATRIX.drivers
        # A number alone is any version of that major: the newest, say.
        cudnn = row.cudnn if row.cudnn is None or "." in row.cudnn else f"{row.cudnn}.99"
        assert cudnn is None or any(each.has(cudnn) and major in each.cuda for each in MATRIX.cudnn)


def test_a_newer_toolkit_was_shipped_with_a_newer_driver() -> None:
    toolkits = sorted(MATRIX.toolkits.items(), key=lambda item: Version(item[0]))
    drivers = versions([driver for _, driver in toolkits])
    assert drivers == sorted(drivers)
    for toolkit, driver in toolkits:
        oldest = MATRIX.drivers[Version(toolkit).major]
        # By branch: 11.0 was shipped with an earlier driver of the oldest one.
        assert Version(driver).major >= Version(oldest).major


def test_every_version_of_cudnn_is_in_one_row_at_most() -> None:
    for cudnn in ("8.0", "8.9.7.29", "9.0.0", "9.10.2.21", "9.11", "9.28.0.42"):
        assert len([row for row in MATRIX.cudnn if row.has(cudnn)]) == 1


def test_every_gpu_is_found_by_its_own_name() -> None:
    for name, gpu in MATRIX.gpus.items():
        assert MATRIX.gpu(name) == gpu, name


def test_nvidias_images_are_of_known_releases() -> None:
    images = MATRIX.nvidia.images
    cudas = versions([each.cuda for each in images])
    assert cudas == sorted(set(cudas), reverse=True)
    ubuntus = {row.version for row in MATRIX.releases.values() if row.distribution == "ubuntu"}
    for each in images:
        assert set(each.ubuntu) <= ubuntus
        assert Version(each.cuda).major in MATRIX.drivers
    for tag in MATRIX.nvidia.known:
        nearest = MATRIX.nvidia.nearest(tag)
        assert nearest in MATRIX.nvidia.known - {tag}


def test_cogns_own_bases_have_the_pythons_that_the_matrix_says() -> None:
    debian = {
        name: row.python for name, row in MATRIX.releases.items() if row.distribution == "debian"
    }
    assert OWN_BASES.items() <= debian.items()


def test_there_is_a_build_of_every_python_that_cog_knows_for_both_platforms() -> None:
    known = versions([build.version for build in MATRIX.pythons])
    assert known == sorted(set(known), reverse=True)
    for build in MATRIX.pythons:
        assert build.sha256.keys() == {"linux/amd64", "linux/arm64"}
    digests = [digest for build in MATRIX.pythons for digest in build.sha256.values()]
    assert len(digests) == len(set(digests))
    for minor in ("3.10", "3.11", "3.12", "3.13", "3.14"):
        assert MATRIX.python_build(minor, "linux/arm64") is not None


def test_a_row_that_says_too_much_or_too_little_is_refused() -> None:
    data = tomllib.loads((ROOT / "matrix.toml").read_text("utf-8"))
    with pytest.raises(ValidationError, match=r"`torch.builds` lacks the series 9.9"):
        Matrix.model_validate(data | {"torch": {"releases": {"9.9.0": {}}, "builds": {}}})
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Matrix.model_validate(data | {"rumours": {}})
    row = {"architecture": "A", "first-cuda": "1"}
    with pytest.raises(ValidationError, match="the GPU X stands in two rows"):
        Matrix.model_validate(data | {"gpus": dict.fromkeys(("7.0", "8.0"), row | {"names": "X"})})
    with pytest.raises(ValidationError, match=r"`gpus` names no product of 7\.0"):
        Matrix.model_validate(data | {"gpus": {"7.0": row}})


# What is asked of them.


@pytest.mark.parametrize(
    ("name", "capability"),
    [
        ("V100", "7.0"),
        ("Tesla V100-SXM2-16GB", "7.0"),
        ("V100 (32 GB)", "7.0"),
        ("Tesla T4", "7.5"),
        ("NVIDIA A100-SXM4-80GB", "8.0"),
        ("a10g", "8.6"),
        ("NVIDIA GeForce RTX 3090 Ti", "8.6"),
        ("RTX A6000", "8.6"),
        ("A6000", "8.6"),
        ("rtx4090", "8.9"),
        ("4090", "8.9"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", "8.9"),
        ("L40-S", "8.9"),
        ("NVIDIA RTX 6000 Ada Generation", "8.9"),
        ("NVIDIA H100 80GB HBM3", "9.0"),
        ("h100 nvl", "9.0"),
        ("GB200", "10.0"),
        ("Jetson AGX Orin", "8.7"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "12.0"),
        ("GeForce GTX 1080 Ti", "6.1"),
        ("Titan X (Pascal)", "6.1"),
        ("Quadro RTX 6000", "7.5"),
    ],
)
def test_a_gpu_is_known_by_the_names_that_people_and_nvidia_smi_write(
    name: str, capability: str
) -> None:
    gpu = MATRIX.gpu(name)
    assert gpu is not None
    assert gpu.capability == capability


@pytest.mark.parametrize("name", ["", "Voodoo 2", "RTX 6000", "Titan X", "NVIDIA"])
def test_a_name_of_no_gpu_or_of_several_is_unknown(name: str) -> None:
    assert MATRIX.gpu(name) is None


def test_no_driver_or_cuda_of_today_is_for_volta() -> None:
    gpu = MATRIX.gpu("V100")
    assert gpu is not None
    assert (gpu.last_cuda, gpu.last_driver) == (12, 580)


@pytest.mark.parametrize(
    ("built", "capability", "runs"),
    [
        ("8.0", "8.6", True),
        ("8.6", "8.9", True),
        ("8.6", "8.0", False),
        ("7.5 9.0", "8.0", False),
        ("10.0", "12.0", False),
        ("12.0", "12.1", True),
        ("7.5+PTX", "12.0", True),
        ("9.0+PTX", "8.9", False),
        ("9.0", "10.0", False),
        ("", "8.0", False),
    ],
)
def test_code_runs_on_its_own_generation_and_ptx_on_all_later_ones(
    built: str, capability: str, runs: bool
) -> None:
    assert MATRIX.runs_on(built.split(), capability) is runs


def test_a_release_of_torch_has_its_builds_by_platform() -> None:
    release = MATRIX.torch_release("2.10.0")
    assert release is not None
    assert (release.default_cuda, release.default_cuda_arm64) == ("12.8", None)
    assert list(release.variants) == ["cpu", "cu126", "cu128", "cu130"]
    assert release.variants["cu126"].capabilities_arm64 == ("8.0", "9.0")
    assert MATRIX.torch_release("2.10.0+cu126") is None


@pytest.mark.parametrize(
    ("package", "version", "cuda", "extra"),
    [
        ("tensorflow", "2.15.0", "12.2", None),
        ("tensorflow", "2.15.1", "12.2", "and-cuda"),
        ("tensorflow", "2.22.0rc0", "12.5", "and-cuda"),
        ("jax", "0.12.0.1", "13", "cuda13"),
        ("jax", "0.6.2", "12", "cuda12"),
        ("onnxruntime-gpu", "1.27.0", "13", None),
        ("cupy-cuda12x", "14.2.0", "12", "ctk"),
        ("ctranslate2", "4.4.0", "12", None),
    ],
)
def test_a_framework_is_built_for_a_cuda_that_an_extra_may_bring(
    package: str, version: str, cuda: str, extra: str | None
) -> None:
    row = MATRIX.framework(package, version)
    assert row is not None
    assert (row.cuda, row.extra) == (cuda, extra)


def test_pythons_of_a_release_newer_than_all_known_are_not_guessed() -> None:
    row = MATRIX.framework("onnxruntime-gpu", "99.0")
    assert row is not None
    assert row.cuda == "13"
    assert row.pythons_of("99.0") == ()
    assert "3.14" in row.pythons_of("1.31.1")
    assert MATRIX.framework("onnxruntime-gpu", "0.1") is None
    assert MATRIX.framework("numpy", "2.0") is None


@pytest.mark.parametrize(
    ("cuda", "flavour", "cudnn", "ubuntu", "tag"),
    [
        ("12.6", "base", False, None, "12.6.3-base-ubuntu24.04"),
        ("12.6.1", "devel", True, "22.04", "12.6.1-cudnn-devel-ubuntu22.04"),
        ("12.3", "runtime", 9, None, "12.3.2-cudnn9-runtime-ubuntu22.04"),
        ("12.2", "runtime", 8, "20.04", "12.2.2-cudnn8-runtime-ubuntu20.04"),
        ("11", "runtime", True, None, "11.8.0-cudnn8-runtime-ubuntu22.04"),
        ("12", "devel", 8, None, "12.2.2-cudnn8-devel-ubuntu22.04"),
        ("12.6", "runtime", 8, None, None),
        ("12.6", "base", True, None, None),
        ("12.4.0", "runtime", True, None, None),
        ("13.2", "base", False, "20.04", None),
        ("10.2", "base", False, None, None),
    ],
)
def test_a_tag_of_nvidias_follows_from_what_is_wanted(
    cuda: str, flavour: str, cudnn: bool | int, ubuntu: str | None, tag: str | None
) -> None:
    found = MATRIX.nvidia.tag(cuda, flavour, cudnn=cudnn, ubuntu=ubuntu)  # type: ignore[arg-type]
    assert found == tag
    assert tag is None or tag in MATRIX.nvidia.known


@pytest.mark.parametrize(
    ("gone", "nearest"),
    [
        ("12.6.2-base-ubuntu24.04", "12.6.3-base-ubuntu24.04"),
        ("12.5.0-runtime-ubuntu22.04", "12.5.1-runtime-ubuntu22.04"),
        ("12.2.0-cudnn8-devel-ubuntu22.04", "12.2.2-cudnn8-devel-ubuntu22.04"),
        ("11.3.0-cudnn8-devel-ubuntu18.04", "11.3.1-cudnn8-devel-ubuntu18.04"),
        ("11.4.1-base-ubuntu16.04", "11.3.1-base-ubuntu16.04"),
        ("13.2.1-devel-ubuntu20.04", "13.2.1-devel-ubuntu22.04"),
        ("10.2-cudnn7-devel-ubuntu18.04", None),
        ("latest", None),
    ],
)
def test_the_nearest_to_a_tag_that_is_gone_has_its_ubuntu_and_a_newer_cuda(
    gone: str, nearest: str | None
) -> None:
    assert MATRIX.nvidia.nearest(gone) == nearest


def test_the_newest_build_of_a_python_that_fits_is_taken() -> None:
    newest = MATRIX.python_build("3.12", "linux/amd64")
    assert newest is not None
    assert newest.file("linux/amd64") == (
        "cpython-3.12.16+20261110-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz"
    )
    exact = MATRIX.python_build("3.11.5", "linux/arm64")
    assert exact is not None
    assert exact.file("linux/arm64") == (
        "cpython-3.11.5+20230826-aarch64-unknown-linux-gnu-install_only.tar.gz"
    )
    assert MATRIX.python_build("3.1", "linux/amd64") is None
    assert MATRIX.python_build("3.11.2", "linux/amd64") is None


# How the tables are made.


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    """The program that makes rows of matrix.toml."""
    spec = importlib.util.spec_from_file_location("matrix_tool", ROOT / "tools/matrix.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_of_pythons_is_what_the_tool_makes_of_uvs_list(tool: ModuleType) -> None:
    entries = {}
    for build in MATRIX.pythons:
        for platform, digest in build.sha256.items():
            url = "https://example.com/" + build.file(platform).replace("+", "%2B")
            entry = {"name": "cpython", "prerelease": "", "variant": None}
            entries[url] = {**entry, "url": url, "sha256": digest}
    for changed in (
        {"prerelease": "rc1"},
        {"variant": "freethreaded"},
        {"name": "pypy"},
        {"url": "https://example.com/cpython-3.15.0-x86_64-unknown-linux-gnu-pgo.tar.zst"},
    ):
        entries[json.dumps(changed)] = {**next(iter(entries.values())), "sha256": "0", **changed}
    text = (ROOT / "matrix.toml").read_text("utf-8")
    assert tool.with_pythons(text, tool.pythons(entries)) == text


def test_the_rows_of_nvidias_images_are_what_the_tool_makes_of_a_list_of_tags(
    tool: ModuleType,
) -> None:
    text = (ROOT / "matrix.toml").read_text("utf-8")
    tags = [*MATRIX.nvidia.known, "latest", "13.2.1-base-ubi9", "12.6.3-cudnn-devel-rockylinux8"]
    rows = list(tool.images(tags))
    assert len(rows) == len(MATRIX.nvidia.images)
    lines = [line.partition(" #")[0] for line in text.splitlines()]
    assert [row for row in rows if row not in lines] == []


def test_the_tool_makes_a_row_of_torch_from_an_indexs_page(tool: ModuleType) -> None:
    names = [
        "torch-2.16.0-cp312-cp312-manylinux_2_28_x86_64.whl",
        "torch-2.16.0-cp313-cp313-manylinux_2_28_x86_64.whl",
        "torch-2.16.0-cp313-cp313t-manylinux_2_28_x86_64.whl",
        "torch-2.16.0-cp312-cp312-manylinux_2_28_aarch64.whl",
        "torch-2.16.0-cp311-cp311-win_amd64.whl",
        "torch-2.16.0.tar.gz",
    ]
    files = [
        {"filename": name, "upload-time": f"2026-12-{day:02}T10:00:00Z"}
        for day, name in enumerate(names, 1)
    ]
    assert list(tool.torch_releases({"files": files})) == [
        '"2.16.0" = { released = "2026-12-01", pythons = "3.12 3.13", pythons-arm64 = "3.12", ... }'
    ]


@pytest.mark.parametrize(
    ("code", "row"),
    [
        (
            b"\0sm_80 sm_90 sm_120 compute_120\0",
            'cu132 = { cudnn = "9.26.0.51", capabilities = "8.0 9.0 12.0+PTX" }',
        ),
        (b"\0", "cpu = {}"),
    ],
    ids=["with CUDA", "without"],
)
def test_the_tool_makes_a_row_of_a_build_of_torch_from_its_wheel(
    tool: ModuleType, tmp_path: Path, code: bytes, row: str
) -> None:
    wheel = tmp_path / "torch-2.15.0-cp312-cp312-manylinux_2_28_x86_64.whl"
    metadata = """Metadata-Version: 2.4
Name: torch
Version: 2.15.0
Requires-Dist: filelock
Requires-Dist: cuda-toolkit[cublas,cudart]==13.2.2; platform_system == "Linux"
Requires-Dist: nvidia-cudnn-cu13==9.26.0.51; platform_system == "Linux"
Requires-Dist: cuda-bindings<14,>=13.0.3; platform_system == "Linux"
"""
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("torch/lib/libtorch_python.so", code)
        archive.writestr("torch-2.15.0.dist-info/METADATA", metadata)
    assert tool.torch_build(wheel) == row
